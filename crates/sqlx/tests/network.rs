//! A network that goes away while `COMMIT` is on its way, made by the kernel: Linux and root only.

#[cfg(target_os = "linux")]
mod pooled;
#[cfg(target_os = "linux")]
mod script;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    tidb_connect_testkit::network::run(tidb_connect_sqlx::DRIVER, pooled::transact)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("ignored: network namespaces are Linux's");
}
