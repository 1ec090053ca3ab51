// Generated from src/protocol by `cargo xtask codegen`; do not edit.

export const PROTOCOL_VERSION = 1;

export const ERROR = {
  PARSE_ERROR: -32700,
  INVALID_REQUEST: -32600,
  METHOD_NOT_FOUND: -32601,
  INVALID_PARAMS: -32602,
  INTERNAL_ERROR: -32603,
  FULL: -32001,
  NOT_INITIALIZED: -32002,
  VERSION_MISMATCH: -32010,
  CANCELLED: -32011,
  NOT_FOUND: -32012,
  CONFLICT: -32013,
  STORE: -32014,
  HOST: -32020,
} as const;

export type InitializeParams = { protocolVersion: number; client: Peer; host: HostInfo };
export type Peer = { name: string; version: string };
export type HostInfo = { line: HostLine; version?: string; pid: number };
export type HostLine = "v1" | "v2";
export type InitializeResult = { protocolVersion: number; server: Peer; pid: number; home: string; store: string };
export type WorkspaceOpenParams = { directory: string; worktree: string; options: WorkspaceOptions };
export type WorkspaceOptions = {
  resume?: ResumePolicy;
  checks?: Array<string>;
  todo?: string;
  workers?: number;
  turnTimeoutSeconds?: number;
};
export type ResumePolicy = "auto" | "report";
export type WorkspaceOpenResult = { missions: Array<MissionSummary>; sessions: Array<string> };
export type DirectoryParams = { directory: string };
export type MissionCreateParams = { directory: string; parentSession: string; text: string; key: string };
export type MissionCreateResult = { mission: MissionSummary; queuedBehind: Array<string> };
export type MissionAttachParams = { directory: string; mission: string; parentSession: string };
export type MissionStatusParams = { directory: string; mission?: string };
export type MissionControlParams = { directory: string; mission?: string; action: ControlAction; text?: string };
export type ControlAction = "pause" | "resume" | "cancel" | "retry" | "steer";
export type MissionSummary = {
  id: string;
  title: string;
  state: string;
  phase?: string;
  parentSession: string;
  directory: string;
  done: number;
  running: number;
  waiting: number;
  failed: number;
  total: number;
  createdAt: number;
  endedAt?: number;
};
export type MissionDetail = { mission: MissionSummary; tasks: Array<TaskDetail>; report?: string };
export type TaskDetail = {
  id: string;
  title: string;
  state: string;
  dependsOn: Array<string>;
  files: Array<string>;
  attempts: number;
  note?: string;
};
export type ToolCallParams = {
  directory: string;
  session: string;
  message?: string;
  call: string;
  agent: string;
  tool: string;
  args: unknown;
};
export type ToolCallResult = { title: string; output: string; metadata: Record<string, unknown> };
export type ToolListResult = { tools: Array<ToolInfo> };
export type ToolInfo = { name: string; description: string; inputSchema: unknown; roles: Array<string> };
export type LeaseCheckParams = { directory: string; session: string; call: string; tool: string; paths: Array<string> };
export type LeaseCheckResult = { allow: boolean; reason?: string };
export type EventBatchParams = { directory: string; events: Array<HostEvent> };
export type Empty = Record<string, never>;
export type SessionCreateParams = {
  directory: string;
  parent?: string;
  title: string;
  agent: string;
  key: string;
  adopt: boolean;
};
export type SessionCreateResult = { session: string };
export type SessionPromptParams = { directory: string; session: string; agent: string; text: string; noReply: boolean };
export type SessionParams = { directory: string; session: string };
export type SessionStatusParams = { directory: string; sessions: Array<string> };
export type SessionStatusResult = { sessions: Array<SessionStatus> };
export type SessionStatus = { session: string; state: SessionState };
export type SessionState = "busy" | "retry" | "idle" | "absent";
export type SessionMessagesParams = { directory: string; session: string; limit: number };
export type SessionMessagesResult = { messages: Array<Message> };
export type Message = {
  id: string;
  role: MessageRole;
  text: string;
  completed: boolean;
  finish?: string;
  error?: HostFault;
  usage: Usage;
};
export type MessageRole = "user" | "assistant";
export type HostFault = { name: string; message: string; status?: number };
export type Usage = {
  input: number;
  output: number;
  reasoning: number;
  cacheRead: number;
  cacheWrite: number;
  cost: number;
};
export type ToastParams = {
  directory: string;
  title: string;
  message: string;
  variant: ToastVariant;
  duration: number;
};
export type ToastVariant = "info" | "success" | "warning" | "error";
export type ProgressParams = {
  directory: string;
  session: string;
  call: string;
  title: string;
  metadata: Record<string, unknown>;
};
export type CancelParams = { id: number };
export type HostEvent =
  | { type: "status"; session: string; state: SessionState; retryAt?: number; message?: string }
  | { type: "error"; session: string; error: HostFault }
  | { type: "message"; session: string; message: Message }
  | { type: "tool"; session: string; call: string; tool: string; state: ToolState }
  | { type: "permission"; session: string; id: string; open: boolean; permission: string }
  | { type: "deleted"; session: string };
export type ToolState = "running" | "completed" | "error";

export interface SidecarMethods {
  "initialize": { params: InitializeParams; result: InitializeResult };
  "workspace/open": { params: WorkspaceOpenParams; result: WorkspaceOpenResult };
  "workspace/close": { params: DirectoryParams; result: Empty };
  "mission/create": { params: MissionCreateParams; result: MissionCreateResult };
  "mission/attach": { params: MissionAttachParams; result: MissionDetail };
  "mission/status": { params: MissionStatusParams; result: MissionDetail };
  "mission/control": { params: MissionControlParams; result: MissionDetail };
  "tool/list": { params: Empty; result: ToolListResult };
  "tool/call": { params: ToolCallParams; result: ToolCallResult };
  "lease/check": { params: LeaseCheckParams; result: LeaseCheckResult };
  "shutdown": { params: Empty; result: Empty };
}

export interface HostMethods {
  "host/session.create": { params: SessionCreateParams; result: SessionCreateResult };
  "host/session.prompt": { params: SessionPromptParams; result: Empty };
  "host/session.abort": { params: SessionParams; result: Empty };
  "host/session.messages": { params: SessionMessagesParams; result: SessionMessagesResult };
  "host/session.status": { params: SessionStatusParams; result: SessionStatusResult };
  "host/session.delete": { params: SessionParams; result: Empty };
  "host/toast": { params: ToastParams; result: Empty };
  "host/progress": { params: ProgressParams; result: Empty };
}

export interface Notifications {
  "event/batch": EventBatchParams;
  "$/cancel": CancelParams;
}

export type Methods = SidecarMethods & HostMethods;
