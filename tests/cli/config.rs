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
diagnostics         \"auto\"   default
fractal             \"auto\"   default
integrate           \"apply\"   default
isolation           \"shared\"   default
maxDurationSeconds  86400   default
permissionTimeoutSeconds 600   default
planApproval        \"auto\"   default
planners            10   default
resume              \"report\"   ~/.config/gantry/gantry.json:1
reviewers           10   default
sessionReuse        \"off\"   default
toasts              \"normal\"   default
todo                \"PLAN.md\"   the plugin's options in OpenCode's configuration
turnTimeoutSeconds  600   default
workers             3   ~/app/gantry.jsonc:2
worktreeLinks       [\"node_modules\", \".venv\", \"venv\"]   default
worktreeSetup       []   default
worktreesAhead      4   default
";
    assert_eq!(shown, wanted);
    let set = home.gantry(&["config", "show", "app", "--set", "workers=4", "--set", "todo=P.md"]).ok();
    assert!(set.contains("workers             4   --set\n") && set.contains("\"P.md\"   --set\n"), "{set}");
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
