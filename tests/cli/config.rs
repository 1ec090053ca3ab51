//! `gantry config`.
use crate::home::Home;
use serde_json::Value;

#[test]
fn where_each_value_comes_from() {
    let home = Home::new();
    home.write("app/gantry.jsonc", "{\n  \"workers\": 3 // small machine\n}\n");
    home.write(".config/gantry/gantry.json", "{\"resume\": \"report\"}");
    home.write(
        ".config/opencode/opencode.json",
        "{\"plugin\": [[\"opencode-gantry\", {\"todo\": \"PLAN.md\"}]]}",
    );
    let shown = home.gantry(&["config", "show", "app"]).ok();
    let wanted = "\
budgetDollars             unset
budgetMinutes             unset
budgetTokens              unset
checks                    unset
diagnostics               \"auto\"   default
fractal                   \"auto\"   default
integrate                 \"apply\"   default
isolation                 \"shared\"   default
maxDurationSeconds        86400   default
permissionTimeoutSeconds  600   default
permissions               unset
planApproval              \"auto\"   default
planners                  10   default
providers                 unset
race                      unset
raceModels                unset
resume                    \"report\"   ~/.config/gantry/gantry.json:1
reviewers                 10   default
sessionReuse              \"off\"   default
taskBudgetDollars         unset
taskBudgetMinutes         unset
taskBudgetTokens          unset
toasts                    \"normal\"   default
todo                      \"PLAN.md\"   ~/.config/opencode/opencode.json:1
turnTimeoutSeconds        600   default
workers                   3   ~/app/gantry.jsonc:2
worktreeLinks             [\"node_modules\",\".venv\",\"venv\"]   default
worktreeSetup             []   default
worktreesAhead            4   default
";
    assert_eq!(shown, wanted);
    let set = home.gantry(&["config", "show", "app", "--set", "workers=4", "--set", "todo=P.md"]).ok();
    assert!(set.contains("workers                   4   --set\n"), "{set}");
    assert!(set.contains("\"P.md\"   --set\n"), "{set}");
    let json: Value = serde_json::from_str(&home.gantry(&["config", "show", "app", "--json"]).ok()).unwrap();
    assert_eq!(json["options"]["workers"]["value"], 3);
    assert_eq!(home.gantry(&["config", "check", "app"]).ok(), "The configuration is in order.\n");
}

#[test]
fn a_fault_is_an_error_with_its_place() {
    let home = Home::new();
    home.write("app/gantry.json", "{\n  \"wrokers\": 3\n}\n");
    let said = home.gantry(&["config", "check", "app"]);
    assert_eq!(said.code, 1);
    assert_eq!(said.err, "gantry: ~/app/gantry.json:2: no option \"wrokers\"; did you mean \"workers\"?\n");
    assert_eq!(home.gantry(&["config", "check", "none"]).code, 1);
    let schema: Value = serde_json::from_str(&home.gantry(&["config", "schema"]).ok()).unwrap();
    assert_eq!(schema["properties"]["workers"]["maximum"], 50);
}

const OPENCODE: &str = ".config/opencode/opencode.json";

#[test]
fn a_wrong_option_of_the_plugins_entry_is_an_error_with_its_place() {
    let home = Home::new();
    home.write(
        OPENCODE,
        "{\n  // mine\n  \"plugin\": [\n    [\"opencode-gantry\", {\n      \"wrokers\": 3,\n      \"bin\": \"/opt/gantry\",\n      \"planners\": 999\n    }]\n  ]\n}\n",
    );
    let said = home.gantry(&["config", "check"]);
    assert_eq!(said.code, 1);
    let wanted = "\
gantry: ~/.config/opencode/opencode.json:5: no option \"wrokers\"; did you mean \"workers\"?
gantry: ~/.config/opencode/opencode.json:7: planners is 999: it must be a whole number from 1 to 50
";
    assert_eq!(said.err, wanted);
    let output = home.command(&["config", "check"]).env("GANTRY_WROKERS", "3").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.ends_with("gantry: GANTRY_WROKERS: no such variable; did you mean GANTRY_WORKERS?\n"),
        "{said}"
    );
    home.write(OPENCODE, "{}");
    let output = home.command(&["config", "check"]).env("GANTRY_TASK_NAME", "theirs").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        String::from_utf8(output.stderr).unwrap().starts_with("GANTRY_TASK_NAME means nothing to Gantry")
    );
}

#[test]
fn a_folder_of_a_project_has_the_options_of_the_project() {
    let home = Home::new();
    home.write("app/.git/HEAD", "");
    home.write("app/sub/a.txt", "");
    home.write("app/gantry.jsonc", "{ \"workers\": 999 }");
    home.write("app/opencode.json", "{\"plugin\": [[\"opencode-gantry\", {\"todo\": \"PLAN.md\"}]]}");
    let said = home.gantry(&["config", "check", "app/sub"]);
    let wanted = "gantry: ~/app/gantry.jsonc:1: workers is 999: it must be a whole number from 1 to 50\n";
    assert_eq!((said.code, said.err.as_str()), (1, wanted));
    let json: Value =
        serde_json::from_str(&home.gantry(&["config", "show", "app/sub", "--json"]).out).unwrap();
    assert_eq!(json["options"]["todo"]["value"], "PLAN.md");
    assert_eq!(json["options"]["race"]["origin"], "unset");
}
