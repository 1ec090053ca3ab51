//! The plugin's entry in a configuration of OpenCode, and how to tell it from those of others.
use crate::domain::file_url::file_url;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Name of the npm package.
pub const PACKAGE: &str = "opencode-gantry";

/// What the host is told to load.
#[derive(Clone, PartialEq, Debug)]
pub enum Entry {
    /// The package of this version.
    Package,
    /// Another package specifier, or a path.
    Named(String),
    /// A build of the plugin on this machine, with the sidecar that belongs to it.
    Local { plugin: PathBuf, bin: PathBuf },
}

impl Entry {
    /// The one that fits the binary at `exe`: of a checkout its own plugin, else the package of the same version.
    pub fn beside(exe: &Path) -> Self {
        let root = exe.parent().filter(|d| d.ends_with("release") || d.ends_with("debug"));
        let root = root.and_then(Path::parent).filter(|d| d.ends_with("target")).and_then(Path::parent);
        match root.map(|root| root.join("plugin-shim/dist/index.js")) {
            Some(plugin) if plugin.is_file() => Self::Local { plugin, bin: exe.to_owned() },
            _ => Self::Package,
        }
    }

    /// The same for the terminal interface; none where a plugin was named that has no such half.
    pub fn terminal(&self) -> Option<Value> {
        let beside = |plugin: &Path| Some(plugin.with_file_name("tui.js")).filter(|file| file.is_file());
        match self {
            Self::Package => Some(self.value()),
            Self::Named(spec) => match local_file(spec, Path::new("/")) {
                Some(plugin) => beside(&plugin).map(|file| json!(file_url(&file))),
                None => Some(json!(spec)),
            },
            Self::Local { plugin, .. } => beside(plugin).map(|file| json!(file_url(&file))),
        }
    }

    pub fn value(&self) -> Value {
        match self {
            Self::Package => json!(format!("{PACKAGE}@{}", env!("CARGO_PKG_VERSION"))),
            Self::Named(spec) => json!(spec),
            Self::Local { plugin, bin } => json!([file_url(plugin), { "bin": bin.display().to_string() }]),
        }
    }
}

/// The new entry with what the user had set in the old one. `bin` belongs to the plugin that stood there, and goes with it.
pub fn merged(new: &Value, old: &Value) -> Value {
    let (spec, own) = match new {
        Value::Array(pair) => (pair.first().cloned().unwrap_or_default(), pair.get(1).cloned()),
        plain => (plain.clone(), None),
    };
    let mut options = options(old).cloned().unwrap_or_default();
    options.shift_remove("bin");
    options.extend(own.as_ref().and_then(Value::as_object).cloned().unwrap_or_default());
    if let Value::Object(fields) = old {
        let mut fields = fields.clone();
        if let Some(key) = SPEC_KEYS.iter().find(|key| fields.contains_key(**key)) {
            fields.insert((*key).to_owned(), spec);
        }
        if !options.is_empty() || fields.contains_key(OPTIONS) {
            fields.insert(OPTIONS.to_owned(), Value::Object(options));
        }
        return Value::Object(fields);
    }
    if options.is_empty() { spec } else { json!([spec, options]) }
}

/// As 2.x writes an entry with options in its own list; a pair is what 1.x knows.
pub fn as_object(entry: Value) -> Value {
    match entry {
        Value::Array(pair) if pair.len() == 2 => json!({ "package": pair[0], OPTIONS: pair[1] }),
        other => other,
    }
}

/// What is set in an entry for the plugin itself.
pub fn options(element: &Value) -> Option<&Map<String, Value>> {
    match element {
        Value::Object(fields) => fields.get(OPTIONS)?.as_object(),
        pair => pair.get(1)?.as_object(),
    }
}

/// Where an entry that is an object has its options.
const OPTIONS: &str = "options";

/// Where an entry that is an object may name its package.
const SPEC_KEYS: [&str; 5] = ["package", "name", "path", "source", "spec"];

fn path_of(url: &str) -> Option<PathBuf> {
    let rest = url.strip_prefix("file://")?;
    let mut bytes = Vec::with_capacity(rest.len());
    let mut left = rest.bytes();
    while let Some(byte) = left.next() {
        let escaped = |hex: [u8; 2]| u8::from_str_radix(std::str::from_utf8(&hex).ok()?, 16).ok();
        match byte {
            b'%' => bytes.push(escaped([left.next()?, left.next()?])?),
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// Whether an element of the list is Gantry's: a specifier of its package, a path into it, or either with options, as a
/// pair or an object. Relative paths are taken from the folder of the configuration.
pub fn is_ours(element: &Value, folder: &Path) -> bool {
    spec(element).is_some_and(|spec| names_us(spec, folder))
}

/// The specifier of an entry.
pub fn spec(element: &Value) -> Option<&str> {
    match element {
        Value::String(spec) => Some(spec),
        Value::Array(pair) => pair.first()?.as_str(),
        Value::Object(fields) => SPEC_KEYS.iter().find_map(|key| fields.get(*key)?.as_str()),
        _ => None,
    }
}

/// The file that a specifier names, if it names one.
pub fn local_file(spec: &str, folder: &Path) -> Option<PathBuf> {
    let path = match path_of(spec) {
        Some(path) => path,
        None if spec.starts_with(['/', '.', '~']) => PathBuf::from(spec),
        None => return None,
    };
    Some(folder.join(path))
}

/// Host and port of a URL.
pub fn address_of(url: &str) -> Option<String> {
    let (port, rest) = match url.split_once("://")? {
        ("https", rest) => (443, rest),
        ("http", rest) => (80, rest),
        _ => return None,
    };
    let authority = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port { authority.to_owned() } else { format!("{authority}:{port}") };
    (!authority.is_empty()).then_some(address)
}

fn names_us(spec: &str, folder: &Path) -> bool {
    let package = spec.strip_prefix("npm:").unwrap_or(spec);
    if package.strip_prefix(PACKAGE).is_some_and(|rest| rest.is_empty() || rest.starts_with('@')) {
        return true;
    }
    let Some(file) = local_file(spec, folder) else { return false };
    file.ancestors().take(5).any(is_our_package)
}

fn is_our_package(folder: &Path) -> bool {
    let manifest = std::fs::read(folder.join("package.json")).ok();
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    match manifest {
        Some(manifest) => manifest["name"] == PACKAGE,
        // What has been moved away is still known by the name of its folder.
        None => folder.file_name().is_some_and(|name| name == PACKAGE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_in_every_form() {
        let checkout = Path::new(env!("CARGO_MANIFEST_DIR"));
        let built = checkout.join("plugin-shim/dist/index.js");
        let url = file_url(&built);
        let ours = [
            json!("opencode-gantry"),
            json!("opencode-gantry@0.1.0"),
            json!("opencode-gantry@latest"),
            json!("npm:opencode-gantry@1"),
            json!(["opencode-gantry@0.1.0", {"workers": 3}]),
            json!(built.display().to_string()),
            json!(url),
            json!([url, {"bin": "/x"}]),
            json!("./plugin-shim/dist/index.js"),
            json!({"package": "opencode-gantry@0.1.0"}),
            json!({"path": url}),
            json!("/gone/node_modules/opencode-gantry/dist/index.js"),
        ];
        for element in ours {
            assert!(is_ours(&element, checkout), "{element}");
        }
        let others = [
            json!("opencode-gantry-extras"),
            json!("opencode-gantr"),
            json!("@me/opencode-gantry"),
            json!("./other.js"),
            json!(["x", "opencode-gantry"]),
            json!(7),
            json!(null),
            json!({"package": "x", "options": {"name": "opencode-gantry"}}),
        ];
        for element in others {
            assert!(!is_ours(&element, Path::new("/elsewhere")), "{element}");
        }
    }

    #[test]
    fn an_update_keeps_what_the_user_set() {
        let local = json!(["file:///p/index.js", {"bin": "/p/gantry"}]);
        let package = json!("opencode-gantry@2");
        let cases = [
            (&package, json!("opencode-gantry@1"), package.clone()),
            (
                &package,
                json!(["opencode-gantry@1", {"workers": 3}]),
                json!(["opencode-gantry@2", {"workers": 3}]),
            ),
            (&package, local.clone(), package.clone()),
            (&local, json!("opencode-gantry@1"), local.clone()),
            (
                &local,
                json!(["x", {"bin": "/old", "workers": 3}]),
                json!(["file:///p/index.js", {"workers": 3, "bin": "/p/gantry"}]),
            ),
            (
                &package,
                json!({"package": "opencode-gantry", "on": true}),
                json!({"package": "opencode-gantry@2", "on": true}),
            ),
            (
                &local,
                json!({"package": "opencode-gantry@1", "options": {"workers": 3, "bin": "/old"}}),
                json!({"package": "file:///p/index.js", "options": {"workers": 3, "bin": "/p/gantry"}}),
            ),
        ];
        for (new, old, wanted) in cases {
            assert_eq!(merged(new, &old), wanted, "{old}");
        }
    }

    #[test]
    fn addresses_of_providers() {
        let cases = [
            ("https://api.example.com/v1", Some("api.example.com:443")),
            ("http://127.0.0.1:8080/v1", Some("127.0.0.1:8080")),
            ("http://me:secret@host/x", Some("host:80")),
            ("http://[::1]:9/x", Some("[::1]:9")),
            ("ftp://x", None),
            ("nonsense", None),
            ("http://", None),
        ];
        for (url, wanted) in cases {
            assert_eq!(address_of(url).as_deref(), wanted, "{url}");
        }
    }

    #[test]
    fn urls_carry_any_path() {
        for path in ["/a b/ü%/#1?/x.js", "/plain/index.js"] {
            let url = file_url(Path::new(path));
            assert!(url.bytes().all(|b| b.is_ascii_graphic() && !b"#? ".contains(&b)), "{url}");
            assert_eq!(path_of(&url), Some(PathBuf::from(path)));
        }
        assert_eq!(path_of("file:///a%4"), None);
    }
}
