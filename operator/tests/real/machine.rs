//! One API server for all tests of this process, with the controllers that make pods and collect garbage.

use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs};

use kube::{Client, Config};
use tokio::sync::OnceCell;

const TOKEN: &str = "of-the-administrator";

/// Ends with this process, whatever ends it: the shell waits for its input to close. An API server that is killed is
/// started again.
const API_SERVER: &str = r#"
openssl ecparam -name prime256v1 -genkey -noout -out sa.key 2>/dev/null
"$BIN/etcd" --unsafe-no-fsync --log-level error --data-dir etcd --listen-client-urls "$ETCD" \
    --advertise-client-urls "$ETCD" --listen-peer-urls http://127.0.0.1:0 >etcd.log 2>&1 &
etcd=$!
while :; do
"$BIN/kube-apiserver" --etcd-servers "$ETCD" --secure-port "$PORT" --bind-address 127.0.0.1 --cert-dir pki \
    --token-auth-file tokens.csv --authorization-mode RBAC --service-cluster-ip-range 10.0.0.0/16 \
    --service-account-issuer https://localhost --service-account-key-file sa.key \
    --service-account-signing-key-file sa.key --disable-admission-plugins ServiceAccount \
    --endpoint-reconciler-type none --watch-cache=true >>api-server.log 2>&1 &
echo $! >api-server.pid
{ wait $!; } 2>/dev/null
done &
server=$!
cat >/dev/null
kill -9 $server $(cat api-server.pid) $etcd
rm -rf "$DIR"
"#;

const CONTROLLERS: &str = r#"
"$BIN/kube-controller-manager" --kubeconfig kubeconfig --leader-elect=false --bind-address 127.0.0.1 --secure-port 0 \
    --controllers statefulset-controller,garbage-collector-controller,persistentvolumeclaim-protection-controller \
    --concurrent-statefulset-syncs 10 --kube-api-qps 200 --kube-api-burst 400 >controllers.log 2>&1 &
controllers=$!
cat >/dev/null
kill -9 $controllers
"#;

pub(crate) struct Machine {
    pub(crate) bin: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) url: String,
    _alive: Vec<(Child, ChildStdin)>,
}

static MACHINE: OnceCell<Option<Machine>> = OnceCell::const_new();

/// A machine for the caller alone, who may do with its API server what the tests of others would not bear.
pub(crate) async fn own_machine() -> Option<&'static Machine> {
    // Its programs end with this process, as those of the shared one do.
    start().await.map(|machine| &*Box::leak(Box::new(machine)))
}

/// The machine, started by the first test that asks; `None` where there is nothing to start.
pub(crate) async fn machine() -> Option<&'static Machine> {
    MACHINE.get_or_init(start).await.as_ref()
}

/// The programs of Kubernetes.
fn programs() -> Option<PathBuf> {
    let has_all = |bin: &Path| {
        ["etcd", "kube-apiserver", "kube-controller-manager"].iter().all(|program| bin.join(program).exists())
    };
    if let Some(given) = env::var_os("COORDD_KUBERNETES_BIN").map(PathBuf::from) {
        return Some(given).filter(|bin| has_all(bin));
    }
    let cache = env::var_os("COORDD_CACHE").map(PathBuf::from);
    let cache = cache.or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/coordd")))?;
    let folders = fs::read_dir(cache).ok()?.flatten().map(|entry| entry.path());
    let mut built: Vec<_> = folders.filter(|bin| has_all(bin)).collect();
    built.sort_by_key(|bin| fs::metadata(bin).and_then(|data| data.modified()).ok());
    built.pop()
}

/// A port that is free now and that no connection is given by chance before it is used: those come from above 32768.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let number = std::process::id().wrapping_mul(101).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(20_000 + number % 12_000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

async fn start() -> Option<Machine> {
    let Some(bin) = programs() else {
        let why = "the programs of Kubernetes are missing; `cargo e2e up` builds them once a machine";
        assert!(env::var_os("CI").is_none(), "{why}");
        // Past the harness, which would keep it from whoever runs the tests.
        std::io::stderr().write_all(format!("skipped: {why}\n").as_bytes()).unwrap();
        return None;
    };
    let dir = tempfile::Builder::new().prefix("coordd-operator-").tempdir().unwrap().keep();
    let url = format!("https://127.0.0.1:{}", free_port());
    fs::write(dir.join("tokens.csv"), format!("{TOKEN},admin,admin,\"system:masters\"\n")).unwrap();
    let mut machine = Machine { bin, url, _alive: Vec::new(), dir };
    machine.kubeconfig("kubeconfig", TOKEN);
    machine.run(API_SERVER);
    let client = machine.client().await;
    let began = Instant::now();
    while client.apiserver_version().await.is_err() || !is_ready(&client).await {
        assert!(began.elapsed() < Duration::from_secs(120), "no API server; its log is in {}", machine.dir.display());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    machine.run(CONTROLLERS);
    Some(machine)
}

/// Whether the API server answers, and says that it is ready.
pub(crate) async fn is_ready(client: &Client) -> bool {
    let request = axum::http::Request::get("/readyz").body(Vec::new()).unwrap();
    client.request_text(request).await.is_ok()
}

impl Machine {
    fn run(&mut self, script: &str) {
        let port = self.url.rsplit(':').next().unwrap();
        let etcd = format!("http://127.0.0.1:{}", free_port());
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).current_dir(&self.dir).env("BIN", &self.bin).env("DIR", &self.dir);
        let mut shell = shell.env("PORT", port).env("ETCD", etcd).stdin(Stdio::piped()).spawn().unwrap();
        let input = shell.stdin.take().unwrap();
        self._alive.push((shell, input));
    }

    /// A file by which whoever has `token` finds the API server.
    pub(crate) fn kubeconfig(&self, file: &str, token: &str) -> PathBuf {
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: '{}', insecure-skip-tls-verify: true}}}}]\n\
             users: [{{name: test, user: {{token: '{token}'}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n",
            self.url
        );
        let path = self.dir.join(file);
        fs::write(&path, text).unwrap();
        path
    }

    /// Sends a signal to the API server.
    pub(crate) fn api_server(&self, signal: &str) {
        let pid = fs::read_to_string(self.dir.join("api-server.pid")).unwrap();
        let sent = Command::new("kill").args([&format!("-{signal}"), pid.trim()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) async fn client(&self) -> Client {
        let kubeconfig = kube::config::Kubeconfig::read_from(self.dir.join("kubeconfig")).unwrap();
        let options = kube::config::KubeConfigOptions::default();
        Client::try_from(Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap()).unwrap()
    }
}
