//! The host itself, and the model providers that its configuration names.
use crate::adapters::system;
use crate::app::configuration::env;
use crate::setup::findings::{Finding, Level};
use crate::setup::{entry, hosted};
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

/// Oldest version of the host that the plugin was written for.
const OLDEST: (u32, u32) = (1, 18);
const CONNECT: Duration = Duration::from_secs(3);

/// Where the common providers answer. The host knows a hundred more; one that is neither here nor has a `baseURL` is
/// not looked at.
const KNOWN: [(&str, &str); 10] = [
    ("anthropic", "https://api.anthropic.com"),
    ("deepseek", "https://api.deepseek.com"),
    ("github-copilot", "https://api.githubcopilot.com"),
    ("google", "https://generativelanguage.googleapis.com"),
    ("groq", "https://api.groq.com"),
    ("mistral", "https://api.mistral.ai"),
    ("openai", "https://api.openai.com"),
    ("opencode", "https://opencode.ai"),
    ("openrouter", "https://openrouter.ai"),
    ("xai", "https://api.x.ai"),
];

/// What a program says of its version.
pub(super) fn told_version(program: &str) -> Option<String> {
    system::first_line(program, &["--version"], Path::new("/"))
}

/// The second is the major version, as far as it can be told.
pub(super) fn host() -> (Finding, Option<u32>) {
    let Some(said) = told_version("opencode") else {
        let missing = Finding::new("host", Level::Fault, "no opencode on the PATH");
        return (missing.remedy("install it: npm install -g opencode-ai"), None);
    };
    let mut numbers = said.trim_start_matches('v').split('.').map_while(|n| n.parse::<u32>().ok());
    let (major, minor) = (numbers.next(), numbers.next());
    let finding = match (major, minor) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => {
            Finding::new("host", Level::Good, format!("opencode {said}"))
        }
        _ => Finding::new("host", Level::Warning, format!("opencode {said} is older than 1.18"))
            .remedy("bring it up to date: opencode upgrade"),
    };
    (finding, major)
}

/// Each one that the configuration names, as far as its address is known; a connection is made and closed again, and
/// nothing is sent.
pub(super) fn providers(project: &Path) -> Vec<Finding> {
    let configs = hosted::configs(project, &env);
    addresses(&configs).iter().map(|(name, url)| reachable(name, url)).collect()
}

fn addresses(configs: &[Value]) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    let mut known = BTreeSet::new();
    for config in configs {
        for (name, provider) in config["provider"].as_object().into_iter().flatten() {
            match provider["options"]["baseURL"].as_str() {
                Some(url) => drop(found.insert((name.clone(), url.to_owned()))),
                None => drop(known.insert(name.clone())),
            }
        }
        let models = ["model", "small_model"].into_iter().filter_map(|key| config[key].as_str());
        known.extend(models.filter_map(|model| Some(model.split_once('/')?.0.to_owned())));
    }
    known.retain(|name| found.iter().all(|(own, _)| own != name));
    for name in known {
        if let Some((_, url)) = KNOWN.iter().find(|(known, _)| *known == name) {
            found.insert((name, (*url).to_owned()));
        }
    }
    found
}

fn reachable(name: &str, url: &str) -> Finding {
    let Some(address) = entry::address_of(url) else {
        return Finding::new("provider", Level::Warning, format!("{name}: {url} is not an address"))
            .remedy("correct baseURL");
    };
    let connected = address.to_socket_addrs().and_then(|mut found| {
        let first = found.next().ok_or_else(|| std::io::Error::other("the name is not known"))?;
        TcpStream::connect_timeout(&first, CONNECT)
    });
    match connected {
        Ok(_) => Finding::new("provider", Level::Good, format!("{name}: {address} answers")),
        Err(error) => {
            Finding::new("provider", Level::Warning, format!("{name}: {address} cannot be reached: {error}"))
                .remedy("check the network, or baseURL in OpenCode's configuration")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_addresses_of_what_the_configuration_names() {
        let configs = [
            json!({"provider": {"lab": {"options": {"baseURL": "http://lab/v1"}}, "openai": {}}, "model": "anthropic/x"}),
            json!({"provider": {"anthropic": {"options": {"baseURL": "http://proxy"}}}, "small_model": "unheard/of"}),
            json!({"provider": 3, "model": 4}),
        ];
        let found: Vec<_> = addresses(&configs).into_iter().collect();
        let wanted =
            [("anthropic", "http://proxy"), ("lab", "http://lab/v1"), ("openai", "https://api.openai.com")];
        assert_eq!(found, wanted.map(|(name, url)| (name.to_owned(), url.to_owned())));
        assert!(KNOWN.iter().all(|(_, url)| entry::address_of(url).is_some()));
    }
}
