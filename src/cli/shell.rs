//! `gantry completions` and `gantry man`
use super::{Cli, exit, output};
use clap::CommandFactory;
use clap_complete::Shell;

#[derive(clap::Args)]
pub struct Completions {
    /// The shell to complete in
    shell: Shell,
}

pub fn completions(args: &Completions) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "gantry", &mut script);
    output::text(&String::from_utf8_lossy(&script));
    exit::DONE
}

/// One page for the program, with a section for each subcommand.
pub fn man() -> u8 {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    let rendered = clap_mangen::Man::new(command.clone()).render(&mut page).and_then(|()| {
        let shown = command.get_subcommands().filter(|c| !c.is_hide_set() && c.get_name() != "help");
        shown.cloned().try_for_each(|sub| {
            let name = format!("gantry {}", sub.get_name());
            use std::io::Write;
            writeln!(page, ".SH {}", name.to_uppercase())?;
            let sub = clap_mangen::Man::new(sub);
            sub.render_synopsis_section(&mut page)?;
            sub.render_description_section(&mut page)?;
            sub.render_options_section(&mut page)
        })
    });
    if let Err(error) = rendered {
        output::error(&format!("the page cannot be made: {error}"));
        return exit::FAILED;
    }
    output::text(&String::from_utf8_lossy(&page));
    exit::DONE
}
