//! A bench measures with pgbench on a server of its own.

#![forbid(unsafe_code)]

use anyhow::Result;
use bench::pgbench::Pgbench;
use testbed::cluster::{Cluster, ClusterOptions};
use testbed::postgres::Postgres;

#[test]
fn a_script_is_run_at_the_asked_rate() -> Result<()> {
    let options = ClusterOptions { extra_conf: &[("shared_buffers", "32MB")], ..Default::default() };
    let cluster = Cluster::create(&Postgres::from_env()?, options)?;
    cluster.psql("postgres", "create table t (a integer)")?;
    let bench = Pgbench {
        script: "insert into t values (1);\n",
        clients: 2,
        seconds: 1,
        rate: Some(200.0),
        ..Default::default()
    };
    let measured = bench.run(&cluster)?;
    assert_eq!(cluster.psql("postgres", "select count(*) from t")?, measured.transactions.to_string());
    assert!(measured.transactions > 0 && measured.failed == 0, "{measured:?}");

    let broken = Pgbench { script: "nonsense;\n", seconds: 1, ..Default::default() };
    assert!(broken.run(&cluster).is_err());
    Ok(())
}
