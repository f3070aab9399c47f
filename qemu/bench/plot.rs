// SPDX-License-Identifier: GPL-2.0

//! The pictures: a bar for each contender, and curves of growth.

use crate::growth::{medians, Axis, AXES};
use crate::machine::ICOUNT;
use crate::markdown::number;
use crate::operations::{Kind, OPERATIONS};
use crate::svg::{short, Scale, Svg};
use crate::{Measured, Run};

const WIDTH: f64 = 900.0;
/// The left end of all bars, and the right end of the longest one
const BARS: (f64, f64) = (230.0, 830.0);
const ROW: f64 = 17.0;
/// The width and the height of a chart, including its title and its legend
const CHART: (f64, f64) = (WIDTH / 2.0, 250.0);
const COLOURS: usize = 4;

fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Project => "project",
        Kind::Twin => "twin",
        Kind::Floor => "floor",
        Kind::Alternative => "alternative",
    }
}

/// Draws the bars below `top`, and returns the bottom.
fn bars(svg: &mut Svg, all: &Measured, mut top: f64) -> Option<f64> {
    let log = all.log(ICOUNT)?;
    let operations: Vec<_> = OPERATIONS
        .iter()
        .map(|operation| (operation.title, operation.medians(log)))
        .filter(|(_, bars)| !bars.is_empty())
        .collect();
    let values: Vec<_> = operations
        .iter()
        .flat_map(|(_, bars)| bars.iter().map(|bar| bar.2))
        .collect();
    let scale = Scale::decades(&values, BARS.0, BARS.1);

    svg.text(
        16.0,
        top,
        "title",
        "start",
        "Instructions of one operation (logarithmic)",
    );
    let mut x = BARS.0 + 140.0;
    for kind in [Kind::Project, Kind::Twin, Kind::Floor, Kind::Alternative] {
        svg.rect(x, top - 10.0, 11.0, 11.0, &format!("bar {}", class(kind)));
        svg.text(x + 16.0, top, "small", "start", kind.name());
        x += 90.0;
    }
    top += 24.0;
    let rows: usize = operations.iter().map(|(_, bars)| bars.len()).sum();
    let bottom = top + operations.len() as f64 * (ROW + 12.0) + rows as f64 * ROW;
    for tick in scale.ticks() {
        let x = scale.place(tick);
        svg.line((x, top), (x, bottom), "grid");
        svg.text(x, top - 4.0, "small", "middle", &short(tick));
    }
    for (title, bars) in operations {
        top += ROW + 6.0;
        svg.text(16.0, top, "title", "start", title);
        top += 6.0;
        for (name, kind, median) in bars {
            let end = scale.place(median);
            svg.text(BARS.0 - 8.0, top + 11.0, "small", "end", &name);
            svg.rect(
                BARS.0,
                top + 2.0,
                end - BARS.0,
                ROW - 5.0,
                &format!("bar {}", class(kind)),
            );
            svg.text(end + 5.0, top + 11.5, "small", "start", &number(median));
            top += ROW;
        }
    }
    Some(bottom)
}

/// Draws the curves of one machine along an axis, in a chart with this upper left corner.
fn chart(svg: &mut Svg, run: &Run, axis: &Axis, (left, top): (f64, f64)) {
    let names = run.log.curves(axis.name);
    let curves: Vec<_> = names
        .iter()
        .map(|name| medians(&run.log, name, axis.name))
        .collect();
    let points = || curves.iter().flatten();
    let xs: Vec<_> = points().map(|point| point.0 as f64).collect();
    let ys: Vec<_> = points().map(|point| point.1).collect();
    let keys = names.len().div_ceil(2) as f64 * 15.0;
    let (upper, lower) = (top + 28.0 + keys, top + CHART.1 - 24.0);
    let x = Scale::tight(&xs, left + 60.0, left + CHART.0 - 24.0);
    let y = Scale::decades(&ys, lower, upper);

    svg.text(
        left + 16.0,
        top + 12.0,
        "title",
        "start",
        &format!("{}: {}", axis.title, run.machine.unit),
    );
    for tick in y.ticks() {
        let y = y.place(tick);
        svg.line((left + 60.0, y), (left + CHART.0 - 24.0, y), "grid");
        svg.text(left + 54.0, y + 4.0, "small", "end", &short(tick));
    }
    let mut values: Vec<_> = points().map(|point| point.0).collect();
    values.sort_unstable();
    values.dedup();
    for value in values {
        svg.text(
            x.place(value as f64),
            lower + 16.0,
            "small",
            "middle",
            &short(value as f64),
        );
    }
    // A contender and its twin have the same colour.
    let mut colours: Vec<&str> = Vec::new();
    for (index, (name, curve)) in names.iter().zip(&curves).enumerate() {
        let twin_of = name.strip_prefix("twin-");
        let family = twin_of.unwrap_or(name);
        let colour = colours
            .iter()
            .position(|other| *other == family)
            .unwrap_or_else(|| {
                colours.push(family);
                colours.len() - 1
            })
            % COLOURS;
        let dashed = if twin_of.is_some() { " twin-line" } else { "" };
        let places: Vec<_> = curve
            .iter()
            .map(|point| (x.place(point.0 as f64), y.place(point.1)))
            .collect();
        svg.path(&places, &format!("line c{colour}{dashed}"));
        for place in places {
            svg.dot(place, &format!("dot c{colour}"));
        }
        let key = (
            left + 16.0 + (index % 2) as f64 * 210.0,
            top + 27.0 + (index / 2) as f64 * 15.0,
        );
        svg.line(
            (key.0, key.1 - 4.0),
            (key.0 + 24.0, key.1 - 4.0),
            &format!("line c{colour}{dashed}"),
        );
        svg.text(key.0 + 30.0, key.1, "small", "start", name);
    }
}

/// Returns the picture. For each axis, only the first two machines that have curves along the axis get a chart.
pub fn draw(all: &Measured) -> String {
    let mut svg = Svg::default();
    let mut top = bars(&mut svg, all, 26.0).unwrap_or_default() + 24.0;
    for axis in AXES {
        let measured = all
            .runs
            .iter()
            .filter(|run| !run.log.curves(axis.name).is_empty());
        let mut drawn = 0;
        for run in measured.take(2) {
            chart(&mut svg, run, axis, (f64::from(drawn) * CHART.0, top));
            drawn += 1;
        }
        if drawn > 0 {
            top += CHART.1 + 12.0;
        }
    }
    svg.finish(WIDTH, top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::Log;
    use crate::machine::MACHINES;

    #[test]
    fn each_measurement_is_drawn() {
        let log = "\
bench: contender=request base=x calls= n=1 ns=2500,
bench: contender=indirect-call base=x calls= n=1 ns=19,
bench: contender=queue-put-take base=x at=depth:1 calls= n=1 ns=300,
bench: contender=queue-put-take base=x at=depth:1000000 calls= n=1 ns=310,
bench: contender=twin-queue-put-take base=x at=depth:1 calls= n=1 ns=310,
";
        let svg = draw(&Measured {
            runs: vec![Run {
                machine: &MACHINES[0],
                log: Log::parse(log).unwrap(),
            }],
            no_tracepoints: None,
            sizes: Vec::new(),
        });
        assert_eq!(svg.matches("class=\"bar project\"").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 3);
        assert_eq!(svg.matches("twin-line\"").count(), 2);
        assert!(svg.contains(">Items in the queue: instructions<") && svg.contains(">1M<"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
