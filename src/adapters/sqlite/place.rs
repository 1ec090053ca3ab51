//! Where the file lies: its folder, its mode, and whether SQLite is safe there.
use super::error::of_io;
use crate::ports::store::StoreError;
use std::fs;
use std::io;
use std::path::Path;

/// Makes the folder (for this user alone) and the empty file (for this user alone), on a local file system. What is there
/// stays as it is.
pub(super) fn prepare(file: &Path) -> Result<(), StoreError> {
    local(file)?;
    make_folder(folder_of(file)).and_then(|()| make_file(file)).map_err(|e| of_io(&e, file))
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Refuses a place on a network file system.
pub(super) fn local(file: &Path) -> Result<(), StoreError> {
    let folder = folder_of(file);
    let existing = folder.ancestors().find(|p| p.exists()).unwrap_or(folder);
    if let Some(kind) = network_kind(existing) {
        return Err(StoreError::NetworkFileSystem {
            path: file.display().to_string(),
            kind: kind.to_string(),
        });
    }
    Ok(())
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// What is there already keeps its mode: it may be a file of somebody else's.
fn make_file(file: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file).map(drop)
}

/// Takes back what others may do with a file that was found to be ours. SQLite gives its side files the mode of the
/// main one; those that are there already have the old one.
#[cfg(unix)]
pub(super) fn make_private(file: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    let private = |path: &Path| {
        let mode = fs::metadata(path)?.permissions().mode();
        if mode & 0o077 == 0 {
            return Ok(());
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700))
    };
    for side in ["", "-wal", "-shm"] {
        let mut path = file.as_os_str().to_owned();
        path.push(side);
        match private(Path::new(&path)) {
            // Another process may just have tidied them up.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !side.is_empty() => {}
            done => done.map_err(|e| of_io(&e, file))?,
        }
    }
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn make_private(_file: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// Identity of the file behind the path; `None` when there is no such file.
#[cfg(unix)]
pub(super) fn identity(file: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let found = fs::metadata(file).ok()?;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
pub(super) fn identity(file: &Path) -> Option<(u64, u64)> {
    file.exists().then_some((0, 0))
}

/// Less than 1 MiB left: an I/O error there is a full disk.
pub(super) fn is_full(file: &Path) -> bool {
    #[cfg(unix)]
    {
        let free = file.parent().and_then(|folder| rustix::fs::statvfs(folder).ok());
        free.is_some_and(|s| s.f_bavail.saturating_mul(s.f_frsize) < 1 << 20)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

pub(super) fn is_writable(file: &Path) -> bool {
    fs::OpenOptions::new().append(true).open(file).is_ok()
}

/// Name of the file system when it is one where the write-ahead log is unsafe: its index is memory shared
/// between processes, which works only while one kernel serves them all.
#[cfg(target_os = "linux")]
fn network_kind(folder: &Path) -> Option<String> {
    let magic = rustix::fs::statfs(folder).ok()?.f_type;
    // Sign and width of f_type differ between platforms; the magic numbers have 32 bits.
    let magic = (magic as u64 & 0xffff_ffff) as u32;
    classify(magic, || mounted_as(folder))
}

/// Other systems are not asked: there the user is trusted to choose a local folder.
#[cfg(not(target_os = "linux"))]
fn network_kind(_folder: &Path) -> Option<String> {
    None
}

#[cfg(target_os = "linux")]
fn classify(magic: u32, fuse_name: impl FnOnce() -> Option<String>) -> Option<String> {
    const FUSE: u32 = 0x6573_5546;
    /// 9p is here because its clients (WSL's /mnt/c, virtual machines) do not share memory maps with the host.
    const NETWORK: [(u32, &str); 11] = [
        (0x6969, "nfs"),
        (0x517b, "smb"),
        (0xff53_4d42, "cifs"),
        (0xfe53_4d42, "smb2"),
        (0x0102_1997, "9p"),
        (0x5346_414f, "afs"),
        (0x7375_7245, "coda"),
        (0x00c3_6400, "ceph"),
        (0x0bd0_0bd0, "lustre"),
        (0x0116_1970, "gfs2"),
        (0x7461_636f, "ocfs2"),
    ];
    /// FUSE serves local things too (ntfs-3g, gocryptfs, container overlays), so only known remote ones are
    /// refused. virtiofs reports FUSE's number; its folder belongs to the kernel of the host as well.
    const REMOTE: [&str; 12] = [
        "virtiofs",
        "sshfs",
        "rclone",
        "s3fs",
        "gcsfuse",
        "goofys",
        "davfs",
        "curlftpfs",
        "glusterfs",
        "gvfsd-fuse",
        "grpcfuse",
        "osxfs",
    ];
    if magic != FUSE {
        return NETWORK.iter().find(|(m, _)| *m == magic).map(|(_, name)| (*name).to_string());
    }
    let name = fuse_name()?;
    let plain = name.strip_prefix("fuse.").unwrap_or(&name);
    REMOTE.contains(&plain).then(|| plain.to_string())
}

/// The type that `/proc/self/mountinfo` gives for the device of a folder.
#[cfg(target_os = "linux")]
fn mounted_as(folder: &Path) -> Option<String> {
    let device = rustix::fs::stat(folder).ok()?.st_dev;
    let wanted = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    type_in(&fs::read_to_string("/proc/self/mountinfo").ok()?, &wanted)
}

/// Line: id parent major:minor root mountpoint options [optional…] - type source options
#[cfg(target_os = "linux")]
fn type_in(mountinfo: &str, device: &str) -> Option<String> {
    let line = mountinfo.lines().find(|l| l.split(' ').nth(2) == Some(device))?;
    Some(line.split_once(" - ")?.1.split(' ').next()?.to_string())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        let fuse = 0x6573_5546;
        let cases = [
            (0xef53, "", None),
            (0x0102_1994, "", None),
            (0x794c_7630, "", None),
            (0x6969, "", Some("nfs")),
            (0xff53_4d42, "", Some("cifs")),
            (0x0102_1997, "", Some("9p")),
            (fuse, "fuse.sshfs", Some("sshfs")),
            (fuse, "virtiofs", Some("virtiofs")),
            (fuse, "fuseblk", None),
            (fuse, "fuse.fuse-overlayfs", None),
        ];
        for (magic, name, expected) in cases {
            let got = classify(magic, || Some(name.to_string()));
            assert_eq!(got.as_deref(), expected, "{magic:#x} {name}");
        }
    }

    #[test]
    fn mountinfo_gives_the_type_of_a_device() {
        let text = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                    40 22 0:41 / /mnt/far\\040away rw - fuse.sshfs me@host: rw\n";
        assert_eq!(type_in(text, "0:41").as_deref(), Some("fuse.sshfs"));
        assert_eq!(type_in(text, "8:1").as_deref(), Some("ext4"));
        assert_eq!(type_in(text, "9:9"), None);
    }

    #[test]
    fn the_folder_of_a_test_is_local_and_has_a_known_mount() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(network_kind(folder.path()), None);
        assert!(mounted_as(folder.path()).is_some_and(|t| !t.is_empty()));
    }
}
