#![allow(clippy::unwrap_used)]
use serde_json::json;
use std::time::{Duration, Instant};
use xtask::lab::host::HostEnv;
use xtask::lab::model::*;
use xtask::lab::tui::Key;
#[test]
fn explore() {
    let root = tempfile::tempdir().unwrap();
    let project = tempfile::tempdir().unwrap();
    xtask::lab::sample::create(project.path()).unwrap();
    let p = root.path().join("p1.js");
    std::fs::write(&p, r#"export default {id:'p1', server: async (i,o)=>({
      config: async (c) => { c.command = {...c.command, task: {template: "Mission m1\n$ARGUMENTS", description: "Run a mission", agent: "commander"}}; c.agent = {...c.agent, commander: {mode:"primary", prompt:"You command."}}; },
      tool: {mission:{description:'x',args:{brief:{type:"string"}},execute: (a,ctx)=> new Promise((res)=>{ ctx.abort.addEventListener("abort", ()=>{ i.client.tui.showToast({body:{title:"T",message:"ABORTED",variant:"info",duration:5000}}); res("aborted") }); i.client.tui.showToast({body:{title:"Gantry",message:"Mission queued",variant:"info",duration:5000}}); setTimeout(()=>res("report of the mission"), o.ms) }) }} })}"#).unwrap();
    let model = Model::start(
        Script::new()
            .rule(
                Rule::new(Role::Commander)
                    .contains("Mission m1")
                    .call("mission", json!({"brief":"b"}))
                    .turn(Turn::echo()),
            )
            .rule(Rule::new(Role::Commander).say("huh")),
    )
    .unwrap();
    let ms = if std::env::var_os("LONG").is_some() { 60000 } else { 2000 };
    let env = HostEnv::new(root.path(), project.path()).unwrap().model(&model).plugin(&p, json!({"ms": ms}));
    if std::env::var_os("HEAD").is_some() {
        let f = env.run_command("task", "do the thing").unwrap().wait(Duration::from_secs(60)).unwrap();
        println!("{:?}", f);
    }
    let w: u16 = std::env::var("W").unwrap_or("140".into()).parse().unwrap();
    let h: u16 = std::env::var("H").unwrap_or("45".into()).parse().unwrap();
    let t0 = Instant::now();
    let mut tui = env.tui(w, h).unwrap();
    tui.wait_text("Ask anything", Duration::from_secs(30)).unwrap();
    println!("up {:?}", t0.elapsed());
    tui.text("/task").unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    println!("{}\n=====", tui.screen());
    tui.text(" do the thing").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    println!("{}\n=====", tui.screen());
    tui.key(Key::Enter).unwrap();
    let t0 = Instant::now();
    println!("{:?}", tui.wait_text("Mission queued", Duration::from_secs(20)).map(|s| s.text));
    println!("toast {:?}", t0.elapsed());
    std::thread::sleep(Duration::from_millis(700));
    println!("{}\n=====", tui.screen());
    if ms > 5000 {
        tui.key(Key::Escape).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        println!("{}\n=====", tui.screen());
        tui.key(Key::Escape).unwrap();
    }
    std::thread::sleep(Duration::from_millis(3000));
    println!("{}\n=====", tui.screen());
    for r in model.requests() {
        println!(
            "{:?} {} {:?}..{:?} {:?} {}",
            r.role,
            r.turn,
            r.started,
            r.ended,
            r.outcome,
            r.prompt.chars().take(80).collect::<String>()
        );
    }
    tui.key(Key::Ctrl('c')).unwrap();
    println!("exit {:?}", tui.wait_exit(Duration::from_secs(10)));
}
