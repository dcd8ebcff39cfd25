use std::{fs, os::unix::fs::PermissionsExt, process::Command as Process};

use adapters::ssh::SshError;

use super::host;

#[tokio::test]
async fn a_file_is_written_with_its_folders_and_mode_and_read_back() {
    let (sshd, host) = host().await;
    let path = sshd.path("new folder/it's/deep.env");
    let content: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    host.write_file(&path, 0o640, content.clone())
        .await
        .unwrap();
    assert_eq!(
        fs::metadata(&path).unwrap().permissions().mode() & 0o7777,
        0o640
    );
    assert_eq!(host.read_file(&path).await.unwrap(), Some(content));
    host.write_file(&path, 0o600, "").await.unwrap();
    assert_eq!(host.read_file(&path).await.unwrap(), Some(Vec::new()));
    let names: Vec<_> = fs::read_dir(sshd.path("new folder/it's"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["deep.env"], "something is left over");
}

#[tokio::test]
async fn a_file_is_told_with_its_mode_and_a_link_with_that_of_what_it_leads_to() {
    let (sshd, host) = host().await;
    let path = sshd.path("it's");
    std::os::unix::fs::symlink(&path, sshd.path("link")).unwrap();
    for (mode, content) in [
        (0o600, "644\nlooks like a mode\n"),
        (0o4755, ""),
        (0o644, "\n"),
    ] {
        host.write_file(&path, mode, content).await.unwrap();
        for path in [&path, &sshd.path("link")] {
            let file = host.file(path).await.unwrap().unwrap();
            assert_eq!((file.mode, file.content), (mode, content.into()), "{path}");
        }
    }
    assert_eq!(host.file(&sshd.path("none")).await.unwrap(), None);
}

#[tokio::test]
async fn a_missing_file_is_none_and_removing_tells_whether_there_was_one() {
    let (sshd, host) = host().await;
    assert_eq!(
        host.read_file(&sshd.path("no/such/file")).await.unwrap(),
        None
    );
    host.write_file(&sshd.path("there"), 0o644, "x")
        .await
        .unwrap();
    assert!(host.remove_file(&sshd.path("there")).await.unwrap());
    assert!(!host.remove_file(&sshd.path("there")).await.unwrap());
}

#[tokio::test]
async fn a_link_stays_a_link_and_its_file_is_replaced() {
    let (sshd, host) = host().await;
    fs::write(sshd.path("available"), "old").unwrap();
    std::os::unix::fs::symlink(sshd.path("available"), sshd.path("enabled")).unwrap();
    host.write_file(&sshd.path("enabled"), 0o644, "new")
        .await
        .unwrap();
    assert!(
        fs::symlink_metadata(sshd.path("enabled"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(fs::read_to_string(sshd.path("available")).unwrap(), "new");
}

#[tokio::test]
async fn a_folder_is_never_replaced() {
    let (sshd, host) = host().await;
    fs::create_dir(sshd.path("folder")).unwrap();
    let error = host
        .write_file(&sshd.path("folder"), 0o644, "x")
        .await
        .unwrap_err();
    assert!(
        matches!(&error, SshError::File { why, .. } if why.contains("folder")),
        "{error:?}"
    );
    assert_eq!(fs::read_dir(sshd.path("folder")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_full_disk_is_told_and_leaves_the_old_file() {
    let (sshd, host) = host().await;
    let disk = Tmpfs::new(&sshd.path("disk"));
    let path = format!("{}/config", disk.0);
    host.write_file(&path, 0o644, "old").await.unwrap();
    let error = host
        .write_file(&path, 0o644, vec![b'x'; 4 << 20])
        .await
        .unwrap_err();
    assert_eq!(
        error,
        SshError::DiskFull {
            host: "test".into(),
            path: path.clone()
        }
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(
        fs::read_dir(&disk.0).unwrap().count(),
        1,
        "a half-written file is left over"
    );
}

#[tokio::test]
async fn a_file_is_moved_over_another_one_even_when_the_disk_is_full() {
    let (sshd, host) = host().await;
    let disk = Tmpfs::new(&sshd.path("disk"));
    let (kept, path) = (
        format!("{}/config.kept", disk.0),
        format!("{}/config", disk.0),
    );
    fs::write(&kept, "old").unwrap();
    fs::write(&path, "new").unwrap();
    // Ends with an error when nothing more fits.
    fs::write(format!("{}/filler", disk.0), vec![b'x'; 2 << 20]).unwrap_err();
    assert!(host.move_file(&kept, &path).await.unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert!(!host.move_file(&kept, &path).await.unwrap(), "it is gone");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
}

#[tokio::test]
async fn a_file_that_is_moved_to_a_link_replaces_what_the_link_names() {
    let (sshd, host) = host().await;
    fs::write(sshd.path("available"), "new").unwrap();
    fs::write(sshd.path("kept"), "old").unwrap();
    std::os::unix::fs::symlink(sshd.path("available"), sshd.path("enabled")).unwrap();
    let moved = host
        .move_file(&sshd.path("kept"), &sshd.path("enabled"))
        .await;
    assert!(moved.unwrap());
    assert!(
        fs::symlink_metadata(sshd.path("enabled"))
            .unwrap()
            .is_symlink()
    );
    assert_eq!(fs::read_to_string(sshd.path("available")).unwrap(), "old");
}

/// A file system of one megabyte.
struct Tmpfs(String);

impl Tmpfs {
    fn new(path: &str) -> Self {
        fs::create_dir(path).unwrap();
        let mounted = Process::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs", path])
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&mounted.stderr);
        assert!(
            mounted.status.success(),
            "this test mounts a file system, for which it must run as root: {words}"
        );
        Self(path.to_owned())
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Process::new("umount").arg(&self.0).output();
    }
}
