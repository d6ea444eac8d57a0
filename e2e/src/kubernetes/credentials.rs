//! Who is who in the cluster: an authority, a certificate for each, and the files by which each finds the API server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::template;
use crate::failure::{Result, Tried};
use crate::shell;

const KUBECONFIG: &str = include_str!("../../kubernetes/files/kubeconfig.yaml");

/// The authority of one cluster, in a folder of it.
#[derive(Debug, Clone)]
pub(super) struct Authority {
    pub(super) pki: PathBuf,
}

impl Authority {
    /// Makes the authority, and the key that signs service accounts.
    pub(super) fn create(pki: PathBuf) -> Result<Self> {
        fs::create_dir_all(&pki).tried(|| format!("create {}", pki.display()))?;
        let authority = Authority { pki };
        authority.sh(
            "openssl ecparam -name prime256v1 -genkey -noout -out ca.key
             openssl req -x509 -new -key ca.key -subj /CN=coordd-e2e -days 365 -out ca.crt
             openssl genrsa -out service-account.key 2048",
            &[],
        )?;
        Ok(authority)
    }

    /// A certificate for `subject` in `WHO.crt` and `WHO.key`, also for a server of these names.
    pub(super) fn certify(&self, who: &str, subject: &str, names: &str) -> Result<()> {
        let names = if names.is_empty() { String::new() } else { format!("subjectAltName={names}") };
        self.sh(
            r#"openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"
               printf 'keyUsage=digitalSignature\nextendedKeyUsage=clientAuth,serverAuth\n%s\n' "$3" >"$1.ext"
               openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
               openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -extfile "$1.ext" \
                   -out "$1.crt""#,
            &[who, subject, &names],
        )
    }

    /// Writes by which file `who` finds the API server.
    pub(super) fn kubeconfig(&self, who: &str, server: &str, file: &Path) -> Result<()> {
        let pki = self.pki.display().to_string();
        template::write(file, KUBECONFIG, &[("SERVER", server), ("PKI", &pki), ("WHO", who)])
    }

    fn sh(&self, script: &str, args: &[&str]) -> Result<()> {
        let mut sh = Command::new("sh");
        sh.current_dir(&self.pki).args(["-e", "-c", script, "sh"]).args(args);
        shell::run_quietly(&mut sh).map(drop)
    }
}
