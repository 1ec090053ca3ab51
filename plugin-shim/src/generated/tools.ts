// Generated from src/protocol by `cargo xtask codegen`; do not edit.

export const TOOLS = [
  {
    name: "mission",
    description:
      "Starts the mission of this conversation with its brief, and returns with the report when it has ended.",
    roles: ["commander"],
    inputSchema: {
      title: "MissionArgs",
      type: "object",
      properties: {
        brief: {
          description: "What is to be achieved, with everything the conversation has settled, in full sentences.",
          type: "string",
        },
        acceptance: {
          description: "Conditions that must hold at the end, each checkable.",
          type: "array",
          items: { type: "string" },
          default: [],
        },
        constraints: {
          description: "What must not be touched or done.",
          type: "array",
          items: { type: "string" },
          default: [],
        },
      },
      required: ["brief"],
    },
  },
  {
    name: "mission_status",
    description: "Says where a mission stands: state, phase, tasks.",
    roles: ["commander"],
    inputSchema: {
      title: "MissionStatusArgs",
      type: "object",
      properties: {
        mission: {
          description: "Mission id; the mission of this conversation when absent.",
          type: ["string", "null"],
          default: null,
        },
      },
    },
  },
  {
    name: "mission_control",
    description: "Pauses, resumes, cancels, retries or steers a mission.",
    roles: ["commander"],
    inputSchema: {
      title: "MissionControlArgs",
      type: "object",
      properties: {
        mission: { type: ["string", "null"], default: null },
        action: { type: "string", enum: ["pause", "resume", "cancel", "retry", "steer"] },
        text: { description: "For steer: what to tell the workers.", type: ["string", "null"], default: null },
      },
      required: ["action"],
    },
  },
  {
    name: "submit_plan",
    description: "Hands in the plan: a graph of tasks. Call it once; faults come back as a list to mend.",
    roles: ["planner"],
    inputSchema: {
      title: "SubmitPlanArgs",
      type: "object",
      properties: {
        summary: { description: "One or two sentences on how the work is cut.", type: "string", default: "" },
        tasks: {
          description: "1 to 200 tasks.",
          type: "array",
          items: {
            type: "object",
            properties: {
              id: { description: "Short and unique, for example T1.", type: "string" },
              title: { type: "string" },
              description: {
                description: "All a worker needs to know that the brief does not say.",
                type: "string",
                default: "",
              },
              files: {
                description: "Files the task may change: paths or globs relative to the project.",
                type: "array",
                items: { type: "string" },
                default: [],
              },
              depends_on: {
                description: "Ids of tasks that must be accepted before this one starts.",
                type: "array",
                items: { type: "string" },
                default: [],
              },
              capabilities: { type: "array", items: { type: "string" }, default: [] },
              priority: {
                anyOf: [{ type: "string", enum: ["high", "normal", "low"] }, { type: "null" }],
                default: null,
              },
              mode: {
                anyOf: [{ type: "string", enum: ["normal", "race", "fractal"] }, { type: "null" }],
                default: null,
              },
              checks: {
                description:
                  "Commands that must pass for this task: the project's own checks, narrowed to paths of the project.",
                type: "array",
                items: { type: "string" },
                default: [],
              },
              estimate_minutes: {
                description: "Expected working time in minutes.",
                type: ["number", "null"],
                format: "double",
                default: null,
              },
            },
            required: ["id", "title"],
          },
        },
      },
      required: ["tasks"],
    },
  },
  {
    name: "submit_report",
    description: "Hands in the result of the task. Call it once, after the last change.",
    roles: ["worker"],
    inputSchema: {
      title: "SubmitReportArgs",
      type: "object",
      properties: {
        status: { type: "string", enum: ["done", "partial", "blocked"] },
        summary: { description: "What was done and what the next task should know.", type: "string" },
        files_changed: { type: "array", items: { type: "string" }, default: [] },
        notes: { type: ["string", "null"], default: null },
      },
      required: ["status", "summary"],
    },
  },
  {
    name: "submit_review",
    description: "Hands in the verdict on the change: approve, or changes with findings.",
    roles: ["reviewer"],
    inputSchema: {
      title: "SubmitReviewArgs",
      type: "object",
      properties: {
        verdict: { type: "string", enum: ["approve", "changes"] },
        summary: { type: "string" },
        findings: {
          type: "array",
          items: {
            type: "object",
            properties: {
              file: { type: ["string", "null"], default: null },
              line: { type: ["integer", "null"], format: "uint32", minimum: 0, default: null },
              severity: { description: "high, medium or low.", type: "string" },
              message: { type: "string" },
            },
            required: ["severity", "message"],
          },
          default: [],
        },
      },
      required: ["verdict", "summary"],
    },
  },
] as const;
