//! What GnuPG and OpenSSL make of our messages.

use super::{encrypt, pgp, smime};
use crate::model::profile::Encryption;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MESSAGE: &[u8] = b"From: a@b.example\r\nTo: c@d.example\r\nSubject: secret\r\n\
    X-Other: hidden\r\nMessage-ID: <1@b.example>\r\nContent-Type: text/plain\r\n\r\n\
    The octets \x00\xff as they came\r\n";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("eider-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(&path, mode).unwrap();
        Self(path)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.0)
            .env("GNUPGHOME", &self.0)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {arguments:?}: {errors}");
        output.stdout
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .args(["--kill", "gpg-agent"])
            .env("GNUPGHOME", &self.0)
            .status();
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn header(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    text.split("\r\n\r\n").next().unwrap().to_owned()
}

#[test]
fn gnupg_reads_what_was_encrypted_for_a_pgp_key() {
    for algorithm in ["rsa2048", "default"] {
        let folder = Folder::new(&format!("pgp-{algorithm}"));
        let id = "Anna Example <anna@example.com>";
        let make = ["--batch", "--passphrase", "", "--quick-generate-key", id, algorithm];
        folder.run("gpg", &make);
        if algorithm == "rsa2048" {
            // a primary key that signs only: the subkey encrypts
            let list = folder.run("gpg", &["--list-keys", "--with-colons"]);
            let list = String::from_utf8(list).unwrap();
            let fingerprint = list.lines().find(|line| line.starts_with("fpr")).unwrap();
            let fingerprint = fingerprint.split(':').nth(9).unwrap();
            let add = ["--batch", "--passphrase", "", "--quick-add-key", fingerprint, algorithm];
            folder.run("gpg", &[&add[..], &["encr"][..]].concat());
        }
        let armour = String::from_utf8(folder.run("gpg", &["--armor", "--export", id])).unwrap();
        let now_ms = crate::clock::Clock::default().now_ms();
        pgp::check(&armour, now_ms).unwrap();
        let facts = pgp::describe(&armour).unwrap();
        assert_eq!(
            (facts.name.as_str(), facts.address.as_str()),
            ("Anna Example", "anna@example.com")
        );
        assert_eq!(facts.fingerprint.len(), 40, "{facts:?}");
        let keys = Encryption { pub_key: armour.clone(), ..Encryption::default() };
        let sealed = encrypt(MESSAGE, &keys, now_ms).unwrap().unwrap();
        let outside = header(&sealed);
        assert!(outside.contains("Subject: secret") && !outside.contains("hidden"), "{outside}");
        assert!(outside.contains("multipart/encrypted"), "{outside}");
        fs::write(folder.path().join("sealed"), &sealed).unwrap();
        let opened = folder.run("gpg", &["--batch", "--decrypt", "sealed"]);
        assert_eq!(opened, MESSAGE);
        // GnuPG's keys live two years
        let later = now_ms + 3 * 366 * 24 * 3600 * 1000;
        assert_eq!(pgp::check(&armour, later), Err("the key has expired".to_owned()));
    }
}

#[test]
fn what_is_no_good_key_is_refused() {
    assert!(pgp::check("", 0).is_err());
    assert!(pgp::check("-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nAAAA\n", 0).is_err());
    let folder = Folder::new("pgp-old");
    let id = "old@example.com";
    folder.run(
        "gpg",
        &["--batch", "--passphrase", "", "--quick-generate-key", id, "rsa1024", "encr,sign"],
    );
    let old = String::from_utf8(folder.run("gpg", &["--armor", "--export", id])).unwrap();
    let taken = pgp::check(&old, crate::clock::Clock::default().now_ms());
    assert_eq!(taken, Ok(()), "1024 bits, as the reference takes them");
    folder.run(
        "gpg",
        &[
            "--batch",
            "--passphrase",
            "",
            "--quick-generate-key",
            "sign@x.example",
            "ed25519",
            "sign",
        ],
    );
    let signs = String::from_utf8(folder.run("gpg", &["--armor", "--export", "sign@x.example"]));
    let refused = pgp::check(&signs.unwrap(), crate::clock::Clock::default().now_ms());
    assert!(refused.unwrap_err().contains("no valid part"));
}

#[test]
fn openssl_reads_what_was_encrypted_for_certificates() {
    let folder = Folder::new("smime");
    for name in ["one", "two"] {
        folder.run(
            "openssl",
            &[
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-keyout",
                &format!("{name}.key"),
                "-out",
                &format!("{name}.pem"),
                "-subj",
                &format!("/CN={name}"),
                "-days",
                "2",
            ],
        );
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let certificates = vec![read("one.pem"), read("two.pem")];
    assert_eq!(
        certificates.iter().map(|pem| smime::check(pem)).collect::<Vec<_>>(),
        [Ok(()), Ok(())]
    );
    for cipher in ["AES-CBC", "AES-GCM"] {
        for transport in ["PKCS#1 v1.5", "OAEP"] {
            let keys = Encryption {
                smime_certs: certificates.clone(),
                smime_cipher: Some(cipher.to_owned()),
                smime_key_transport: Some(transport.to_owned()),
                ..Encryption::default()
            };
            let sealed = encrypt(MESSAGE, &keys, 0).unwrap().unwrap();
            fs::write(folder.path().join("sealed"), &sealed).unwrap();
            for name in ["one", "two"] {
                let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
                let opened = folder.run(
                    "openssl",
                    &[
                        "cms", "-decrypt", "-binary", "-in", "sealed", "-inkey", &key, "-recip",
                        &pem,
                    ],
                );
                assert_eq!(opened, MESSAGE, "{cipher} {transport}");
            }
        }
    }
    folder.run(
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "ec.key",
            "-out",
            "ec.pem",
            "-subj",
            "/CN=ec",
        ],
    );
    assert!(smime::check(&read("ec.pem")).unwrap_err().contains("no RSA key"));
    assert!(smime::check("nothing").is_err());
}

#[test]
fn without_a_key_nothing_is_encrypted() {
    assert_eq!(encrypt(MESSAGE, &Encryption::default(), 0), Ok(None));
}
