//! A throw-away cluster survives what the client tests do to it.

#![forbid(unsafe_code)]

use anyhow::Result;
use testbed::cluster::{Cluster, ClusterOptions, StopMode};
use testbed::postgres::Postgres;

#[test]
fn a_cluster_comes_back_after_a_crash_and_has_a_standby_that_takes_over() -> Result<()> {
    let postgres = Postgres::from_env()?;
    let options =
        ClusterOptions { extra_conf: &[("work_mem", "5MB"), ("shared_buffers", "32MB")], ..Default::default() };
    let primary = Cluster::create(&postgres, options)?;
    assert_eq!(primary.psql("postgres", "show work_mem; create table t as select 1 as a")?, "5MB");

    primary.kill9()?;
    assert!(!primary.is_running());
    primary.start()?;
    assert_eq!(primary.psql("postgres", "select a from t")?, "1");

    let standby = primary.create_standby()?;
    assert_eq!(standby.psql("postgres", "select pg_is_in_recovery()")?, "t");
    primary.stop(StopMode::Immediate)?;
    standby.promote()?;
    assert_eq!(standby.psql("postgres", "select pg_is_in_recovery(), a from t")?, "f|1");

    primary.set(&[("work_mem", "6MB")])?;
    primary.restart()?;
    assert_eq!(primary.psql("postgres", "show work_mem")?, "6MB");
    let error = primary.psql("postgres", "select 1; select nonsense").unwrap_err();
    assert!(error.to_string().contains("nonsense"), "{error}");

    let dir = primary.dir.clone();
    drop(primary);
    assert!(!dir.exists());
    Ok(())
}
