//! `gantry completions` and `gantry man`
use super::{exit, output};
use clap_complete::Shell;
use std::io::Write;

#[derive(clap::Args)]
pub struct Completions {
    /// The shell to complete in
    shell: Shell,
}

pub fn completions(args: &Completions) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::tree(), "gantry", &mut script);
    output::text(&String::from_utf8_lossy(&script));
    exit::DONE
}

/// One page for the program, with a section for each subcommand and each of theirs.
pub fn man() -> u8 {
    let mut page = Vec::new();
    let tree = super::tree();
    let rendered = clap_mangen::Man::new(tree.clone())
        .render(&mut page)
        .and_then(|()| super::shown(&tree).try_for_each(|sub| section(&mut page, "gantry", sub)));
    if let Err(error) = rendered {
        output::error(&format!("the page cannot be made: {error}"));
        return exit::FAILED;
    }
    output::text(&String::from_utf8_lossy(&page));
    exit::DONE
}

fn section(page: &mut Vec<u8>, of: &str, command: &clap::Command) -> std::io::Result<()> {
    let name = format!("{of} {}", command.get_name());
    writeln!(page, ".SH {}", name.to_uppercase())?;
    let man = clap_mangen::Man::new(command.clone());
    man.render_synopsis_section(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    super::shown(command).try_for_each(|sub| section(page, &name, sub))
}
