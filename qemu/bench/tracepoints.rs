// SPDX-License-Identifier: GPL-2.0

//! The cost of disabled tracepoints.

use crate::log::Log;
use crate::log_lines::Contender;
use crate::markdown::{cells, number, table};
use crate::operations::{kind, steady, Kind};

pub struct Compared {
    name: String,
    with: f64,
    without: f64,
}

impl Compared {
    pub fn ratio(&self) -> f64 {
        self.with / self.without
    }

    pub fn without(&self) -> f64 {
        self.without
    }

    pub fn with(&self) -> f64 {
        self.with
    }
}

fn figure(one: &Contender) -> f64 {
    steady(&one.name, one.min(), one.median())
}

pub fn compare(with: &Log, without: &Log) -> Vec<Compared> {
    let single = with.contenders.iter().filter(|one| one.at.is_none());
    let project = single.filter(|one| kind(&one.name) == Kind::Project);
    let both = project.filter_map(|one| {
        Some(Compared {
            name: one.name.clone(),
            with: figure(one),
            without: figure(without.find(&one.name, None)?),
        })
    });
    both.collect()
}

pub fn table_of(compared: &[Compared]) -> String {
    let mut rows = vec![cells([
        "instructions",
        "compiled in, off",
        "not compiled in",
        "ratio",
    ])];
    for one in compared {
        let mut row = vec![format!("`{}`", one.name)];
        row.extend([one.with, one.without].map(number));
        row.push(format!("{:.3}", one.ratio()));
        rows.push(row);
    }
    table(&rows, 1)
}
