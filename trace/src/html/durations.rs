// SPDX-License-Identifier: GPL-2.0

//! The table of the calls and requests of a section, and how long they took.

use super::format::escape;
use super::Section;
use crate::relate::duration;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

impl Section<'_> {
    /// Writes a table: how often each operation and request was called, and how long it took
    pub(super) fn durations(&self, out: &mut String) -> fmt::Result {
        let mut calls: BTreeMap<[String; 4], Vec<u64>> = BTreeMap::new();
        for row in self.rows {
            let begin = row.span.as_ref().and_then(|span| {
                let begin = self.row_of(span.since)?;
                Some((span.ns?, &self.rows[begin].step, span.called.clone()))
            });
            let Some((ns, begin, called)) = begin else {
                continue;
            };
            let what = match begin.field("op") {
                Some(op) => format!("op-call {op}"),
                None => format!("request {}", begin.field("code").unwrap_or_default()),
            };
            let context = begin.context().unwrap_or_default().into();
            let key = [
                what,
                begin.driver().into(),
                called.unwrap_or_default(),
                context,
            ];
            calls.entry(key).or_default().push(ns);
        }
        if calls.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "<details><summary class=\"faint\">How long calls and requests took</summary>\n\
             <table><tr><th>what<th>from<th>to<th>in<th class=\"n\">times\
             <th class=\"n\">shortest<th class=\"n\">median<th class=\"n\">longest</tr>"
        )?;
        for (key, mut took) in calls {
            took.sort();
            out.push_str("<tr>");
            for text in key {
                write!(out, "<td>{}", escape(&text))?;
            }
            write!(out, "<td class=\"n\">{}", took.len())?;
            for ns in [took[0], took[took.len() / 2], took[took.len() - 1]] {
                write!(out, "<td class=\"n\">{}", duration(ns))?;
            }
            writeln!(out, "</tr>")?;
        }
        writeln!(out, "</table></details>")
    }
}
