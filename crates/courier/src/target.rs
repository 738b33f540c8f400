//! A parsed and checked URL.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderValue, Uri};
use report::Report;
use rustls::pki_types::ServerName;
use url::{Host, ParseError, Url};

use crate::guard::{Guard, Refused};
use crate::trust::Trust;

/// Longest URL taken, in bytes. Common servers take 8 KiB for the whole request line.
const MAX_LENGTH: usize = 8000;

/// Where a request goes. Parse once per endpoint and share it.
#[derive(Debug)]
pub struct Target {
    text: String,
    pub(crate) origin: Arc<Origin>,
    pub(crate) server_name: Option<ServerName<'static>>,
    pub(crate) host_header: HeaderValue,
    pub(crate) path: Uri,
    /// with scheme and host, as HTTP/2 has it
    pub(crate) absolute: Uri,
}

/// Scheme, host and port, and how it is spoken to: connections are shared within one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) host: Host<String>,
    pub(crate) port: u16,
    pub(crate) tls: bool,
    pub(crate) http: Http,
    pub(crate) trust: Option<Arc<Trust>>,
}

/// The version of HTTP that is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Http {
    /// HTTP/2 where the receiver offers it in the TLS handshake, else HTTP/1.1
    #[default]
    Auto,
    /// HTTP/1.1
    One,
    /// HTTP/2; without TLS it is known beforehand that the receiver speaks it (RFC 9113, section 3.3)
    Two,
}

impl Http {
    pub fn parse(text: &str) -> Option<Http> {
        match text {
            "auto" => Some(Http::Auto),
            "1.1" => Some(Http::One),
            "2" => Some(Http::Two),
            _ => None,
        }
    }
}

impl Origin {
    /// Whether a connection to it may turn out to be one of HTTP/2.
    pub(crate) fn may_widen(&self) -> bool {
        match self.http {
            Http::Auto => self.tls,
            Http::One => false,
            Http::Two => true,
        }
    }
}

/// Looked up for every request, so that the certificates, which hardly ever tell two apart, are left out.
impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.host, self.port, self.tls, self.http).hash(state);
    }
}

/// Why a URL is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// nothing where the host should be
    #[error("the URL has no host")]
    NoHost,
    /// neither http nor https; holds what was given
    #[error("the URL's scheme is \"{0}\", not http or https")]
    Scheme(String),
    /// a user name or password before the host
    #[error("the URL contains a user name or password")]
    Credentials,
    /// the host is a literal address that may not be dialled
    #[error("the URL's host {0}, which must not be called")]
    Refused(Refused),
    /// not a URL; holds the reason
    #[error("the URL is malformed: {0}")]
    Malformed(String),
    /// longer than 8000 bytes; holds the length
    #[error("the URL is {0} bytes long, more than {MAX_LENGTH}")]
    TooLong(usize),
}

impl Target {
    /// Parses an absolute http or https URL as the WHATWG URL standard does, so that `http://2130706433/` is known to be
    /// 127.0.0.1; a literal address is checked against `guard` here, a name's addresses at every connect. A fragment is
    /// dropped.
    pub fn parse(text: &str, guard: &Guard) -> Result<Target, UrlError> {
        if text.len() > MAX_LENGTH {
            return Err(UrlError::TooLong(text.len()));
        }
        // The standard strips these silently; in a stored setting they are a mistake or an attack.
        if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(UrlError::Malformed("it contains white space or a control character".into()));
        }
        let scheme = scheme_of(text)?;
        let url = Url::parse(text).map_err(|e| match e {
            ParseError::EmptyHost => UrlError::NoHost,
            other => UrlError::Malformed(other.to_string()),
        })?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlError::Credentials);
        }
        let host = url.host().ok_or(UrlError::NoHost)?.to_owned();
        if let Some(ip) = literal(&host) {
            guard.check(ip).map_err(UrlError::Refused)?;
        }
        let port = match url.port_or_known_default() {
            None | Some(0) => return Err(UrlError::Malformed("port 0 cannot be connected to".into())),
            Some(port) => port,
        };
        let tls = scheme == "https";
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        Ok(Target {
            text: text.to_owned(),
            server_name: if tls { Some(server_name(&host)?) } else { None },
            host_header: HeaderValue::from_str(&authority).map_err(malformed)?,
            absolute: format!("{scheme}://{authority}{path}").parse().map_err(malformed)?,
            path: path.parse().map_err(malformed)?,
            origin: Arc::new(Origin { host, port, tls, http: Http::Auto, trust: None }),
        })
    }

    /// The same, spoken to in this version of HTTP and, over TLS, with what is asked of that.
    pub fn with(mut self, http: Http, trust: Option<Arc<Trust>>) -> Target {
        self.origin = Arc::new(Origin { http, trust, ..(*self.origin).clone() });
        self
    }

    /// The URL as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The host as it will be looked up or dialled: a name in its ASCII form, or an address (IPv6 in brackets).
    pub fn host(&self) -> String {
        self.origin.host.to_string()
    }

    pub fn port(&self) -> u16 {
        self.origin.port
    }

    /// Whether the scheme is https.
    pub fn is_tls(&self) -> bool {
        self.origin.tls
    }

    /// The address when the host is one, in whatever spelling.
    pub fn address(&self) -> Option<IpAddr> {
        literal(&self.origin.host)
    }
}

pub(crate) fn literal(host: &Host<String>) -> Option<IpAddr> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(ip) => Some(IpAddr::V4(*ip)),
        Host::Ipv6(ip) => Some(IpAddr::V6(*ip)),
    }
}

/// The scheme in lower case, when `text` begins with `http://` or `https://` and something. The standard also takes
/// `http:host` and `http:///host`; people do not mean that.
fn scheme_of(text: &str) -> Result<String, UrlError> {
    let Some((scheme, rest)) = text.split_once(':') else {
        return Err(UrlError::Malformed("it has no scheme".into()));
    };
    let scheme = scheme.to_ascii_lowercase();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-');
    if scheme != "http" && scheme != "https" {
        return Err(match scheme.chars().all(plain) && !rest.starts_with(|c: char| c.is_ascii_digit()) {
            true => UrlError::Scheme(scheme),
            false => UrlError::Malformed("it has no scheme".into()),
        });
    }
    match rest.strip_prefix("//") {
        None => Err(UrlError::Malformed("\"//\" is missing after the scheme".into())),
        Some(rest) if rest.is_empty() || rest.starts_with(['/', '\\', '?', '#', ':']) => Err(UrlError::NoHost),
        Some(_) => Ok(scheme),
    }
}

fn server_name(host: &Host<String>) -> Result<ServerName<'static>, UrlError> {
    match literal(host) {
        Some(ip) => Ok(ServerName::IpAddress(ip.into())),
        // a trailing dot is for the resolver; certificates are made out without it
        None => ServerName::try_from(host.to_string().trim_end_matches('.').to_owned()).map_err(malformed),
    }
}

fn malformed(e: impl fmt::Display) -> UrlError {
    UrlError::Malformed(e.to_string())
}

impl Report for UrlError {
    fn hint(&self) -> Option<String> {
        let hint = match self {
            UrlError::NoHost => "Write it as https://host/path.",
            UrlError::Scheme(_) => "Only http and https can be called.",
            UrlError::Credentials => "Send credentials in a header, for example Authorization.",
            UrlError::Refused(_) => "Add the network to frontdesk.allow_networks if calls to it are intended.",
            UrlError::Malformed(_) => "Write it as https://host/path, other characters percent-encoded.",
            UrlError::TooLong(_) => "Send long data in the body.",
        };
        Some(hint.into())
    }
}
