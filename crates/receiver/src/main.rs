//! `receiver`: see the library for what the paths do.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use receiver::{Options, Receiver, Tls};

const USAGE: &str = "\
usage: receiver [options]
  --listen ADDRESS:PORT   default 127.0.0.1:0, a free port
  --secret SECRET         whsec_... or whpk_...; may be repeated, one that fits is enough
  --verify                refuse what does not verify (401)
  --tolerance SECONDS     that a timestamp may be off, default 300
  --control               answer under /_control/: GET stats, GET ids?path=/x, GET last?n=10, POST reset,
                          PUT toggle/NAME/STATUS (0: no answer)
  --plain-door            listen without TLS too, on a port of its own; the next line is \"plain on ADDRESS:PORT\"
  --more-ports N          listen on N more ports; the next lines are \"also on ADDRESS:PORT\"
  --record FILE           append one JSON line per request; - is stdout
  --keep-ids              keep the ids of each path in order
  --threads N             default 1
  --tls-cert FILE --tls-key FILE   serve HTTPS (PEM)
  --tls-client-ca FILE    serve only who has a certificate of this authority (PEM)
  --http2                 offer HTTP/2 there, and take it without TLS from who knows beforehand
paths: /ok /status/N /gone /delay/MS /fail-first/N/TAG /fail-first-each/N /retry-after/S /toggle/NAME
       /redirect?to=URL /echo /big/BYTES /binary /hang /drip/MS /reset /reset/headers /reset/body /close
       /garbage /headers-endless; any other answers 200
the first line of stdout is \"listening on ADDRESS:PORT\"";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("receiver: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let Some(options) = parse(std::env::args().skip(1))? else {
        println!("{USAGE}");
        return Ok(());
    };
    let listen = options.listen;
    let receiver = Receiver::spawn(options).map_err(|e| format!("cannot listen on {listen}: {e}"))?;
    println!("listening on {}", receiver.address());
    receiver.plain_door().iter().for_each(|address| println!("plain on {address}"));
    receiver.more().iter().for_each(|address| println!("also on {address}"));
    std::io::stdout().flush().map_err(|e| e.to_string())?;
    receiver.join();
    Ok(())
}

/// `None`: help was asked for.
fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options::default();
    let (mut certificates, mut key) = (None, None);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--listen" => options.listen = number(&arg, value()?)?,
            "--secret" => options.secrets.push(value()?),
            "--verify" => options.verify = true,
            "--tolerance" => options.tolerance = number(&arg, value()?)?,
            "--control" => options.control = true,
            "--plain-door" => options.plain_door = true,
            "--more-ports" => options.more_ports = number(&arg, value()?)?,
            "--record" => options.record = Some(value()?.into()),
            "--keep-ids" => options.keep_ids = true,
            "--threads" => options.threads = number(&arg, value()?)?,
            "--tls-cert" => certificates = Some(read(value()?)?),
            "--tls-key" => key = Some(read(value()?)?),
            "--tls-client-ca" => options.client_ca = Some(read(value()?)?),
            "--http2" => options.http2 = true,
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown option {other}\n{USAGE}")),
        }
    }
    options.tls = match (certificates, key) {
        (Some(certificates), Some(key)) => Some(Tls { certificates, key }),
        (None, None) => None,
        _ => return Err("--tls-cert and --tls-key belong together".into()),
    };
    if options.verify && options.secrets.is_empty() {
        return Err("--verify needs a --secret".into());
    }
    Ok(Some(options))
}

fn number<T: std::str::FromStr<Err: std::fmt::Display>>(option: &str, text: String) -> Result<T, String> {
    text.parse().map_err(|e| format!("{option} {text}: {e}"))
}

fn read(path: String) -> Result<String, String> {
    std::fs::read_to_string(&path).map_err(|e| format!("cannot read {path}: {e}"))
}
