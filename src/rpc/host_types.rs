//! Wire types of the host side to those of the port.
use crate::domain::ids::HostSessionId;
use crate::ports::host::*;
use crate::protocol::types as wire;

pub fn turn_state(state: wire::SessionState) -> TurnState {
    match state {
        wire::SessionState::Busy => TurnState::Busy,
        wire::SessionState::Retry => TurnState::Retry,
        wire::SessionState::Idle => TurnState::Idle,
        wire::SessionState::Absent => TurnState::Absent,
    }
}

pub fn call_state(state: wire::ToolState) -> CallState {
    match state {
        wire::ToolState::Running => CallState::Running,
        wire::ToolState::Completed => CallState::Completed,
        wire::ToolState::Error => CallState::Error,
    }
}

pub fn fault(fault: wire::HostFault) -> HostFault {
    HostFault { name: fault.name, message: fault.message, status: fault.status }
}

pub fn variant(kind: ToastKind) -> wire::ToastVariant {
    match kind {
        ToastKind::Info => wire::ToastVariant::Info,
        ToastKind::Success => wire::ToastVariant::Success,
        ToastKind::Warning => wire::ToastVariant::Warning,
        ToastKind::Error => wire::ToastVariant::Error,
    }
}

pub fn ask(ask: wire::OpenAsk) -> HostAsk {
    HostAsk {
        id: ask.id,
        session: HostSessionId(ask.session),
        permission: ask.permission,
        patterns: ask.patterns,
    }
}

pub fn message(message: wire::Message) -> HostMessage {
    let u = message.usage;
    HostMessage {
        id: message.id,
        speaker: match message.role {
            wire::MessageRole::User => Speaker::User,
            wire::MessageRole::Assistant => Speaker::Assistant,
        },
        text: message.text,
        completed: message.completed,
        finish: message.finish,
        error: message.error.map(fault),
        model: message.model,
        usage: Usage {
            input: u.input,
            output: u.output,
            reasoning: u.reasoning,
            cache_read: u.cache_read,
            cache_write: u.cache_write,
            cost: u.cost,
        },
        calls: message
            .calls
            .into_iter()
            .map(|c| HostCall { call: c.call, tool: c.tool, state: call_state(c.state) })
            .collect(),
    }
}
