//! Where a client connects to: `host:port,host:port/chroot`, as every ZooKeeper client writes it.

const DEFAULT_PORT: u16 = 2181;

/// A parsed connection string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub hosts: Vec<String>,
    /// Empty, or a path without a slash at its end.
    pub chroot: String,
}

impl Target {
    pub(crate) fn parse(text: &str) -> Result<Target, String> {
        let (hosts, chroot) = text.find('/').map_or((text, ""), |at| text.split_at(at));
        let chroot = chroot.trim_end_matches('/');
        if chroot.contains("//") {
            return Err(format!("{chroot} is no path"));
        }
        let with_port = |host: &str| match host.rsplit_once(':') {
            Some((name, port)) if !name.is_empty() && port.parse::<u16>().is_ok() => Ok(host.to_owned()),
            Some((_, port)) if !host.ends_with(']') => Err(format!("{host}: {port} is no port")),
            _ => Ok(format!("{host}:{DEFAULT_PORT}")),
        };
        let hosts: Vec<_> = hosts.split(',').map(str::trim).filter(|host| !host.is_empty()).collect();
        if hosts.is_empty() {
            return Err("at least one HOST:PORT must be given".to_owned());
        }
        Ok(Target { hosts: hosts.into_iter().map(with_port).collect::<Result<_, _>>()?, chroot: chroot.to_owned() })
    }

    /// A client's path as the server knows it.
    pub(crate) fn absolute(&self, path: &str) -> String {
        match (self.chroot.as_str(), path) {
            ("", _) => path.to_owned(),
            (chroot, "/") => chroot.to_owned(),
            (chroot, _) => format!("{chroot}{path}"),
        }
    }

    /// A server's path as the client knows it.
    pub(crate) fn relative(&self, path: &str) -> String {
        match path.strip_prefix(&self.chroot) {
            Some("") => "/".to_owned(),
            Some(rest) if rest.starts_with('/') => rest.to_owned(),
            _ => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_get_zookeepers_port_and_the_chroot_stands_behind_all_of_them() {
        let target = Target::parse("a, b:1,[::1]:3,[::1]/x/y/").unwrap();
        assert_eq!(target.hosts, ["a:2181", "b:1", "[::1]:3", "[::1]:2181"]);
        assert_eq!((target.absolute("/"), target.absolute("/z")), ("/x/y".into(), "/x/y/z".into()));
        assert_eq!((target.relative("/x/y"), target.relative("/x/y/z")), ("/".into(), "/z".into()));
        assert_eq!(target.relative("/x/yz"), "/x/yz");
        assert_eq!(Target::parse("a:port").unwrap_err(), "a:port: port is no port");
        assert!(Target::parse("/x").is_err());
    }
}
