//! What the dispatcher asks of the rules.

use crate::action::{Action, Consent};
use crate::delivery::{LaneLimits, Retry};
use crate::event::Event;
use crate::journal::Routing;
use crate::registry::ConfigError;
use crate::rules::Serving;
use crate::template::{Params, RenderError, Rendered, Scope};
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

/// One action of a rule, as far as an attempt needs it.
pub struct Step<'a> {
    pub params: &'a Params,
    pub action: Arc<dyn Action>,
    pub retry: Retry,
    pub timeout: Duration,
    pub lane: LaneLimits,
    /// For the requests of its effects.
    pub consent: &'a Consent,
}

/// Rules to deliver by: what [`Serving`] is, and what tests make up.
pub trait Plan: Send + Sync + 'static {
    /// Their number, which is kept with every attempt.
    fn generation(&self) -> u64;

    /// The action that a delivery's id names, if it is loaded and on.
    fn find(&self, rule: &str, action: &str) -> Option<Step<'_>>;

    /// What limits a lane; the defaults, if its action is not loaded or off.
    fn limits(&self, rule: &str, action: &str) -> LaneLimits {
        self.find(rule, action).map(|step| step.lane).unwrap_or_default()
    }

    /// Evaluates the conditions of a delivery that was blocked.
    ///
    /// # Errors
    /// The sentence of the condition that still errs.
    fn holds(&self, rule: &str, action: &str, event: &Event) -> Result<bool, String>;

    /// The event as an attempt at an action of this rule sees it: with its storm window, if the rule
    /// controls storms.
    fn seen(&self, _rule: &str, event: &Arc<Event>) -> Arc<Event> {
        Arc::clone(event)
    }

    /// Fills parameters in.
    ///
    /// # Errors
    /// The first hole that cannot be filled.
    fn render(&self, params: &Params, event: &Event) -> Result<Rendered, RenderError>;

    /// Makes the action of an effect.
    ///
    /// # Errors
    /// What its `build` refuses.
    fn build_effect(&self, kind: &str, params: &Params) -> Result<Arc<dyn Action>, Vec<ConfigError>>;

    /// Which deliveries an event leads to.
    fn route(&self, event: &Event, now: Timestamp) -> Routing;
}

impl Plan for Serving {
    fn generation(&self) -> u64 {
        self.number
    }

    fn find(&self, rule: &str, action: &str) -> Option<Step<'_>> {
        let (_, planned) = self.rules.find(rule, action)?;
        Some(Step {
            params: &planned.params,
            action: planned.action.clone(),
            retry: planned.retry,
            timeout: planned.timeout,
            lane: planned.lane,
            consent: &planned.consent,
        })
    }

    fn holds(&self, rule: &str, action: &str, event: &Event) -> Result<bool, String> {
        self.rules.holds(rule, action, event)
    }

    fn seen(&self, rule: &str, event: &Arc<Event>) -> Arc<Event> {
        self.rules.seen(rule, event)
    }

    fn render(&self, params: &Params, event: &Event) -> Result<Rendered, RenderError> {
        params.render(Scope { event, vars: &self.rules.vars, resolver: &*self.rules.resolver })
    }

    fn build_effect(&self, kind: &str, params: &Params) -> Result<Arc<dyn Action>, Vec<ConfigError>> {
        self.rules.build_effect(kind, params)
    }

    fn route(&self, event: &Event, now: Timestamp) -> Routing {
        self.rules.route(event, self.number, now)
    }
}
