//! Keeping events: one row each, and one for each delivery that is not handed over in memory.

use super::codec;
use super::fresh::{self, Fresh, Origin};
use super::order;
use super::prints::Print;
use super::storm::{self, Arrival};
use super::txn::{Fault, Txn};
use crate::event::{Event, EventId};
use crate::headers::Headers;
use crate::journal::{
    Appended, Derived, Entry, JournalError, MAX_DESCENDANTS, NewDelivery, Routing, State, Taken,
};
use crate::json::Json;
use crate::source::{Received, Verified};
use bytes::Bytes;
use compact_str::CompactString;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// An entry with its texts made, so that the writer has only to store them.
pub struct Row {
    stored: Stored,
    fingerprint: [u8; 32],
    received_at: Timestamp,
    dedupe_since: Timestamp,
    routing: Option<Routing>,
    taken: Option<Taken>,
    /// Where there are deliveries, which may be handed over in memory.
    event: Option<Event>,
}

impl Row {
    pub fn new(entry: Entry) -> Self {
        let Entry { received, received_at, dedupe_since, routing, taken } = entry;
        let Received { event, body, headers, preset, fingerprint, verified } = received;
        let document = if preset.is_some() { String::new() } else { event.to_string() };
        let stored =
            Stored { headers, body, preset, verified: Some(verified), ..Stored::of(&event, document) };
        let leads_on = routing.as_ref().is_some_and(|routing| !routing.deliveries.is_empty());
        let event = leads_on.then_some(event);
        Self { stored, fingerprint, received_at, dedupe_since, routing, taken, event }
    }

    /// Keeps the event unless its twin is here. The inner error is this event's alone.
    pub fn append(mut self, txn: &mut Txn<'_>) -> Result<Result<Appended, JournalError>, Fault> {
        let since = self.dedupe_since.as_millisecond();
        if let Some(first) = txn.prints.twin(txn.connection, &self.fingerprint, since)? {
            return Ok(Ok(Appended::Duplicate(first)));
        }
        if !txn.has_room()? {
            let why = "it has reached its size limit, and nothing in it may be removed yet";
            return Ok(Err(JournalError::Unavailable(why.into())));
        }
        let Some(print) = self.print(txn)? else {
            let why = "too many events have the same millisecond: is the clock standing still?";
            return Ok(Err(JournalError::Unavailable(why.into())));
        };
        txn.prints.stage(txn.connection, print)?;
        let fresh = self.fresh(txn, &print)?;
        self.stored.insert(txn, &print, self.routing.as_ref(), &fresh)?;
        txn.tally.events += 1;
        match &self.routing {
            Some(routing) if !fresh.is_empty() => {
                let event = self.event.take().expect("an event with deliveries has it");
                let origin = Origin {
                    event: Arc::new(event),
                    body: self.stored.body.clone(),
                    headers: self.stored.headers.clone(),
                    received_at: self.received_at,
                    bytes: self.stored.bytes(),
                };
                hand_over(txn, &origin, (&print, &fresh), &routing.deliveries);
            }
            Some(routing) => {
                let bytes = self.stored.document_bytes();
                // Storms are counted by when it is taken, which may be long after its receipt.
                let received = self.taken.as_ref().map_or(print.received, |taken| taken.at.as_millisecond());
                let arrival = Arrival { seq: print.seq, received, bytes };
                add_deliveries(txn, arrival, routing)?;
            }
            None => txn.tally.unrouted += 1,
        }
        if let Some(taken) = &self.taken {
            keep_taken(txn, print.seq, taken)?;
        }
        Ok(Ok(Appended::New(print.id)))
    }

    /// `None`: its millisecond has no key left.
    fn print(&self, txn: &mut Txn<'_>) -> Result<Option<Print>, Fault> {
        let id = self.stored.id;
        let received = self.received_at.as_millisecond();
        let window = received.saturating_sub(self.dedupe_since.as_millisecond()).max(0);
        let until = received.saturating_add(window);
        let fingerprint = self.fingerprint;
        Ok(free_seq(txn, id)?.map(|seq| Print { id, seq, fingerprint, received, until }))
    }

    /// The lanes of its deliveries, if all of them can be handed over in memory.
    fn fresh(&self, txn: &mut Txn<'_>, print: &Print) -> Result<Vec<i64>, Fault> {
        let Some(routing) = self.routing.as_ref().filter(|_| self.taken.is_none()) else {
            return Ok(Vec::new());
        };
        let waits_for_nothing = |delivery: &NewDelivery| {
            let due = delivery.due.as_millisecond();
            delivery.blocked.is_none() && delivery.order.is_none() && due <= print.received
        };
        if !routing.storms.is_empty() || !routing.deliveries.iter().all(waits_for_nothing) {
            return Ok(Vec::new());
        }
        let mut lanes = Vec::with_capacity(routing.deliveries.len());
        for delivery in &routing.deliveries {
            lanes.push(txn.lane(&delivery.id.rule, &delivery.id.action)?);
        }
        let has_room = txn.has_room_for_fresh(&lanes, self.stored.bytes(), print.received);
        Ok(if has_room { lanes } else { Vec::new() })
    }
}

/// Hands deliveries over in memory, one for each lane.
fn hand_over(
    txn: &mut Txn<'_>,
    origin: &Origin,
    (print, lanes): (&Print, &[i64]),
    deliveries: &[NewDelivery],
) {
    for (lane, delivery) in lanes.iter().zip(deliveries) {
        txn.tally.add(State::Pending, 1);
        let leased = Box::new(origin.lease(delivery.id.clone(), None));
        let key = (print.seq, *lane, String::new());
        let (due, bytes) = (print.received, origin.bytes);
        txn.hand_over(Fresh { key, due, bytes, has_row: false, commit: u64::MAX, leased });
    }
}

/// That an event was refused first, and that its deliveries have their time from now.
fn keep_taken(txn: &Txn<'_>, seq: i64, taken: &Taken) -> Result<(), Fault> {
    let at = taken.at.as_millisecond();
    let sql = "UPDATE events SET refused = ?2, taken = ?3 WHERE seq = ?1";
    txn.connection.prepare_cached(sql)?.execute(params![seq, taken.refused, at])?;
    let sql = "UPDATE deliveries SET counted_from = ?2, updated = ?2 WHERE event = ?1";
    txn.connection.prepare_cached(sql)?.execute([seq, at])?;
    Ok(())
}

/// All of an event's row but what its print and its routing say.
#[derive(Default)]
struct Stored {
    id: EventId,
    source: CompactString,
    kind: Option<CompactString>,
    status: Option<CompactString>,
    /// Empty where a preset makes it of headers and body.
    document: String,
    preset: Option<&'static str>,
    headers: Headers,
    body: Bytes,
    /// Of a derived event.
    root: Option<EventId>,
    /// Of one that a sender signed.
    verified: Option<Verified>,
}

impl Stored {
    /// Of an event alone.
    fn of(event: &Event, document: String) -> Self {
        let text = |field: &str| event.get(field).and_then(Json::as_str).map(CompactString::from);
        let (source, kind, status) = (event.source().into(), text("type"), text("status"));
        Self { id: event.id(), source, kind, status, document, ..Self::default() }
    }

    /// How large its document is, or what that is made of.
    fn document_bytes(&self) -> usize {
        match self.preset {
            Some(_) => self.headers.as_bytes().len() + self.body.len(),
            None => self.document.len(),
        }
    }

    /// What it takes in memory with its event, in bytes of text.
    fn bytes(&self) -> usize {
        self.document_bytes() + self.headers.as_bytes().len() + self.body.len()
    }

    /// `fresh`: the lanes of its deliveries, if they are that.
    fn insert(
        &self,
        txn: &mut Txn<'_>,
        print: &Print,
        routing: Option<&Routing>,
        fresh: &[i64],
    ) -> Result<(), Fault> {
        let sql = "INSERT INTO events (seq, id, fingerprint, received, dedupe_until, generation, source, type, status, \
                   rules, headers, document, body, root, verified, fresh, preset) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
        txn.statement(sql)?.execute(params![
            print.seq,
            self.id.0.to_bytes(),
            print.fingerprint,
            print.received,
            print.until,
            routing.map(|routing| routing.generation.cast_signed()),
            self.source.as_str(),
            self.kind.as_deref(),
            self.status.as_deref(),
            routing.map(|routing| codec::write_names(&routing.rules)).unwrap_or_default(),
            self.headers.as_bytes(),
            self.document,
            &*self.body,
            self.root.map(|root| root.0.to_bytes()),
            self.verified.map(codec::write_verified),
            fresh::write_lanes(fresh),
            self.preset,
        ])?;
        Ok(())
    }
}

/// Keeps an event that hookyard made itself: it has no twin, and none is looked for.
pub fn derive(txn: &mut Txn<'_>, derived: &Derived, now: i64) -> Result<(), Fault> {
    let Derived { event, root, routing } = derived;
    let id = event.id();
    let Some(seq) = free_seq(txn, id)? else {
        return Err(Fault::Refused("too many events have the same millisecond".into()));
    };
    // Unlike every digest that a source makes.
    let mut fingerprint = [0; 32];
    fingerprint[..16].copy_from_slice(&id.0.to_bytes());
    let body = event.get("payload").map(Json::to_string).unwrap_or_default();
    let stored = Stored { body: body.into(), root: Some(*root), ..Stored::of(event, event.to_string()) };
    let print = Print { id, seq, fingerprint, received: now, until: now };
    stored.insert(txn, &print, Some(routing), &[])?;
    txn.tally.events += 1;
    add_deliveries(txn, Arrival { seq, received: now, bytes: stored.document_bytes() }, routing)
}

/// How many events go back to this one, as far as it matters.
pub fn descendants(txn: &Txn<'_>, root: EventId) -> Result<usize, Fault> {
    let sql = "SELECT count(*) FROM (SELECT 1 FROM events WHERE root = ?1 LIMIT ?2)";
    let most = i64::try_from(MAX_DESCENDANTS).unwrap_or(i64::MAX);
    let mut query = txn.connection.prepare_cached(sql)?;
    let count: i64 = query.query_row(params![root.0.to_bytes(), most], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(MAX_DESCENDANTS))
}

/// The next key in the event's millisecond, if one is left: also behind those of removed events,
/// whose prints still have them.
fn free_seq(txn: &mut Txn<'_>, id: EventId) -> Result<Option<i64>, Fault> {
    let seqs = codec::seqs_of(id.0.timestamp_ms());
    let newest = match txn.newest {
        newest if newest < *seqs.start() => None,
        newest if newest <= *seqs.end() => Some(newest),
        // The clock was set back.
        _ => newest_seq(txn.connection, &seqs)?,
    };
    let next = newest.map_or(*seqs.start(), |newest| newest.saturating_add(1));
    let free = (newest != Some(*seqs.end())).then_some(next);
    txn.newest = free.map_or(txn.newest, |seq| seq.max(txn.newest));
    Ok(free)
}

/// The newest key among these, of events and of removed ones.
pub fn newest_seq(
    connection: &rusqlite::Connection,
    seqs: &RangeInclusive<i64>,
) -> rusqlite::Result<Option<i64>> {
    let sql = "SELECT max(seq) FROM (SELECT max(seq) AS seq FROM events WHERE seq BETWEEN ?1 AND ?2 UNION ALL \
               SELECT max(seq) FROM removed_prints WHERE seq BETWEEN ?1 AND ?2)";
    connection.prepare_cached(sql)?.query_row([seqs.start(), seqs.end()], |row| row.get(0))
}

/// The key of an event, if it is here.
pub fn seq(connection: &rusqlite::Connection, id: EventId) -> rusqlite::Result<Option<i64>> {
    let seqs = codec::seqs_of(id.0.timestamp_ms());
    let sql = "SELECT seq FROM events WHERE seq BETWEEN ?1 AND ?2 AND id = ?3";
    let mut query = connection.prepare_cached(sql)?;
    query.query_row(params![seqs.start(), seqs.end(), id.0.to_bytes()], |row| row.get(0)).optional()
}

/// Routes an event that was kept as unrouted.
pub fn route(txn: &mut Txn<'_>, event: EventId, routing: &Routing, now: i64) -> Result<(), Fault> {
    let Some(seq) = seq(txn.connection, event)? else { return Ok(()) };
    let sql = "UPDATE events SET generation = ?2, rules = ?3 WHERE seq = ?1 AND generation IS NULL";
    let row = params![seq, routing.generation.cast_signed(), codec::write_names(&routing.rules)];
    if txn.connection.prepare_cached(sql)?.execute(row)? == 0 {
        return Ok(());
    }
    txn.tally.unrouted -= 1;
    let bytes = match routing.storms.is_empty() {
        true => 0,
        false => {
            let sql = "SELECT octet_length(document) + CASE WHEN preset IS NULL THEN 0 \
                       ELSE octet_length(headers) + octet_length(body) END FROM events WHERE seq = ?1";
            let bytes: i64 = txn.connection.prepare_cached(sql)?.query_row([seq], |row| row.get(0))?;
            usize::try_from(bytes).unwrap_or(0)
        }
    };
    add_deliveries(txn, Arrival { seq, received: now, bytes }, routing)
}

/// Adds an event's deliveries; those of rules that hold storms back as these decide.
fn add_deliveries(txn: &mut Txn<'_>, arrival: Arrival, routing: &Routing) -> Result<(), Fault> {
    let held_back = |delivery: &NewDelivery| {
        delivery.blocked.is_none() && routing.storms.iter().any(|storm| storm.rule == delivery.id.rule)
    };
    for delivery in routing.deliveries.iter().filter(|delivery| !held_back(delivery)) {
        add(txn, arrival.seq, &Addition::of(delivery), arrival.received)?;
    }
    for storm in &routing.storms {
        let of_rule = |delivery: &&NewDelivery| delivery.id.rule == storm.rule && held_back(delivery);
        let deliveries: Vec<_> = routing.deliveries.iter().filter(of_rule).collect();
        // An event that would do nothing holds nothing back, and does not count.
        if !deliveries.is_empty() {
            storm::admit(txn, arrival, storm, &deliveries)?;
        }
    }
    Ok(())
}

/// A delivery to be added.
#[derive(Clone, Copy)]
pub struct Addition<'a> {
    pub delivery: &'a NewDelivery,
    pub state: State,
    /// The receipt or the error that it begins with.
    pub message: &'a str,
    /// The storm window that it belongs to.
    pub window: Option<i64>,
    /// Milliseconds that it is due later.
    pub wait: i64,
    /// Of an effect: its kind and stored parameters.
    pub effect: Option<(&'a str, &'a str)>,
    /// Whether it is handed over in memory: then no lane is looked at for it.
    pub is_handed_over: bool,
}

impl<'a> Addition<'a> {
    pub fn of(delivery: &'a NewDelivery) -> Self {
        let state = if delivery.blocked.is_some() { State::Blocked } else { State::Pending };
        let message = delivery.blocked.as_deref().unwrap_or_default();
        Self { delivery, state, message, window: None, wait: 0, effect: None, is_handed_over: false }
    }
}

/// Adds a delivery unless it is there.
pub fn add(txn: &mut Txn<'_>, event: i64, addition: &Addition<'_>, now: i64) -> Result<(), Fault> {
    let Addition { delivery, state, message, window, wait, effect, is_handed_over } = *addition;
    let lane = txn.lane(&delivery.id.rule, &delivery.id.action)?;
    let name = codec::name(&delivery.id);
    let is_open = matches!(state, State::Pending | State::Blocked);
    let due = is_open.then(|| delivery.due.as_millisecond().saturating_add(wait));
    let key = delivery.order.as_deref().filter(|_| is_open);
    let (due, parked) = match (key, due) {
        // It may be older than others of its key that are here: what is received first may be kept later.
        (Some(key), Some(due)) if state == State::Pending => {
            let (due, parked) = order::rejoin(txn, lane, key, (event, &name), due)?;
            (Some(due), parked)
        }
        (_, due) => (due, None),
    };
    let sql = "INSERT OR IGNORE INTO deliveries (event, lane, name, state, due, attempts, updated, message, \
               effect_kind, effect_params, window, order_key, parked) \
               VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let added = txn.statement(sql)?.execute(params![
        event,
        lane,
        name,
        state as i64,
        due,
        now,
        message,
        effect.map(|(kind, _)| kind),
        effect.map(|(_, params)| params),
        window,
        key,
        parked,
    ])?;
    if added > 0 {
        txn.tally.add(state, 1);
        txn.due.extend(due.filter(|_| !is_handed_over).map(|due| (lane, due)));
    }
    Ok(())
}
