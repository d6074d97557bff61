//! What there is on the admin side, by its path.

use crate::diagnostic::did_you_mean;

/// One thing that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page<'a> {
    /// By GET.
    Show(Show<'a>),
    /// By GET, and it goes on.
    Stream,
    /// By POST.
    Act(Act),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show<'a> {
    Healthy,
    Ready,
    Metrics,
    Status,
    Rules,
    Generations,
    Generation(&'a str),
    Events,
    Event(&'a str),
    Deliveries,
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Reload,
    State,
    Retry,
    Cancel,
    Replay,
    ReplayRefused,
}

/// Those whose path is always the same.
const FIXED: &[(&str, Page<'static>)] = &[
    ("/healthz", Page::Show(Show::Healthy)),
    ("/readyz", Page::Show(Show::Ready)),
    ("/metrics", Page::Show(Show::Metrics)),
    ("/api/status", Page::Show(Show::Status)),
    ("/api/rules", Page::Show(Show::Rules)),
    ("/api/generations", Page::Show(Show::Generations)),
    ("/api/events", Page::Show(Show::Events)),
    ("/api/deliveries", Page::Show(Show::Deliveries)),
    ("/api/refused", Page::Show(Show::Refused)),
    ("/api/stream", Page::Stream),
    ("/api/reload", Page::Act(Act::Reload)),
    ("/api/kv", Page::Act(Act::State)),
    ("/api/retry", Page::Act(Act::Retry)),
    ("/api/cancel", Page::Act(Act::Cancel)),
    ("/api/replay", Page::Act(Act::Replay)),
    ("/api/refused/replay", Page::Act(Act::ReplayRefused)),
];

impl<'a> Page<'a> {
    /// What stands at a path.
    pub(super) fn at(path: &'a str) -> Option<Self> {
        let below = |parent: &str| {
            let name = path.strip_prefix(parent)?.strip_prefix('/')?;
            (!name.is_empty() && !name.contains('/')).then_some(name)
        };
        let fixed = FIXED.iter().find(|(known, _)| *known == path).map(|(_, page)| *page);
        fixed
            .or_else(|| below("/api/events").map(|id| Page::Show(Show::Event(id))))
            .or_else(|| below("/api/generations").map(|number| Page::Show(Show::Generation(number))))
    }

    /// Whether anybody may ask: it tells nothing.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Self::Show(Show::Healthy | Show::Ready))
    }
}

/// The sentence for a path where nothing stands.
pub(super) fn nothing_at(path: &str) -> String {
    let known = FIXED.iter().map(|(known, _)| *known);
    match did_you_mean(path.trim_end_matches('/'), known.clone()) {
        Some(meant) => format!("there is nothing at {path}: did you mean {meant}?"),
        None => format!("there is nothing at {path}: there is {}", known.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_page_or_none() {
        for (path, page) in [
            ("/api/events", Some(Page::Show(Show::Events))),
            ("/api/events/evt_1", Some(Page::Show(Show::Event("evt_1")))),
            ("/api/generations/41", Some(Page::Show(Show::Generation("41")))),
            ("/api/retry", Some(Page::Act(Act::Retry))),
            ("/api/events/", None),
            ("/api/events/evt_1/x", None),
            ("/api/eventsx", None),
            ("/api/rules/x", None),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(Page::at(path), page, "{path}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        assert_eq!(nothing_at("/api/evnts"), "there is nothing at /api/evnts: did you mean /api/events?");
        assert_eq!(nothing_at("/api/rules/"), "there is nothing at /api/rules/: did you mean /api/rules?");
        let told = nothing_at("/somewhere/else/entirely");
        assert!(FIXED.iter().all(|(known, _)| told.contains(known)), "{told}");
    }
}
