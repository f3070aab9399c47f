// SPDX-License-Identifier: GPL-2.0

//! Draws a picture in SVG.

/// The colours for light pages, then those that differ on dark pages
pub const STYLE: &str = "\
text { font: 12px system-ui, sans-serif; fill: #24292f }
.small { font-size: 11px; fill: #57606a }
.title { font-size: 13px; font-weight: 600 }
.paper { fill: #ffffff }
.grid { stroke: #d8dee4; stroke-width: 1 }
.bar.project { fill: #1f6feb }
.bar.twin { fill: #e07b18 }
.bar.floor { fill: #7d8590 }
.bar.alternative { fill: #b6a2cf }
.line { fill: none; stroke-width: 2 }
.c0 { stroke: #1f6feb } .dot.c0 { fill: #1f6feb }
.c1 { stroke: #e07b18 } .dot.c1 { fill: #e07b18 }
.c2 { stroke: #2a9d5c } .dot.c2 { fill: #2a9d5c }
.c3 { stroke: #a259c4 } .dot.c3 { fill: #a259c4 }
.twin-line { stroke-dasharray: 5 4 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .small { fill: #9da7b1 }
  .paper { fill: #0d1117 } .grid { stroke: #30363d }
  .bar.project, .dot.c0 { fill: #4b93ff } .c0 { stroke: #4b93ff } .bar.alternative { fill: #8b78a8 }
}
";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[derive(Default)]
pub struct Svg(String);

impl Svg {
    pub fn text(&mut self, x: f64, y: f64, class: &str, anchor: &str, text: &str) {
        let text = escape(text);
        self.0 += &format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\" text-anchor=\"{anchor}\">{text}</text>\n"
        );
    }

    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        self.0 += &format!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" class=\"{class}\"/>\n"
        );
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), class: &str) {
        self.path(&[from, to], class);
    }

    pub fn path(&mut self, points: &[(f64, f64)], class: &str) {
        let points = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}"));
        let points = points.collect::<Vec<_>>().join(" ");
        self.0 += &format!("<polyline points=\"{points}\" class=\"{class}\"/>\n");
    }

    pub fn dot(&mut self, (x, y): (f64, f64), class: &str) {
        self.0 += &format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\" class=\"{class}\"/>\n");
    }

    pub fn finish(self, width: f64, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
             viewBox=\"0 0 {width:.0} {height:.0}\">\n<style>\n{STYLE}</style>\n\
             <rect width=\"100%\" height=\"100%\" class=\"paper\"/>\n{}</svg>\n",
            self.0
        )
    }
}

/// A logarithmic scale
pub struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Extends the range of the values to whole decades.
    pub fn decades(values: &[f64], from: f64, to: f64) -> Self {
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(0.0, f64::max);
        let low = least.log10().floor();
        let high = most.log10().ceil().max(low + 1.0);
        Scale {
            low,
            high,
            from,
            to,
        }
    }

    pub fn tight(values: &[f64], from: f64, to: f64) -> Self {
        let mut scale = Self::decades(values, from, to);
        let logs = || values.iter().map(|value| value.log10());
        scale.low = logs().fold(f64::INFINITY, f64::min);
        scale.high = logs()
            .fold(f64::NEG_INFINITY, f64::max)
            .max(scale.low + 0.1);
        scale
    }

    pub fn place(&self, value: f64) -> f64 {
        let part = (value.log10() - self.low) / (self.high - self.low);
        self.from + part * (self.to - self.from)
    }

    pub fn ticks(&self) -> Vec<f64> {
        let (first, last) = (self.low.ceil() as i32, self.high.floor() as i32);
        (first..=last).map(|power| 10f64.powi(power)).collect()
    }
}

pub fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{}M", value / 1e6),
        value if value >= 1e4 => format!("{}k", value / 1e3),
        value => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_extends_to_whole_decades() {
        let scale = Scale::decades(&[19.0, 2500.0], 100.0, 400.0);
        assert_eq!(scale.ticks(), [10.0, 100.0, 1000.0, 10000.0]);
        assert_eq!(scale.place(10.0), 100.0);
        assert_eq!(scale.place(1000.0), 300.0);
    }

    #[test]
    fn texts_are_escaped() {
        let mut svg = Svg::default();
        svg.text(0.0, 0.0, "", "start", "a < b & c");
        assert!(svg.finish(10.0, 10.0).contains("a &lt; b &amp; c"));
    }

    #[test]
    fn large_values_are_abbreviated() {
        assert_eq!(
            [1.0, 1000.0, 1e4, 1e6].map(short),
            ["1", "1000", "10k", "1M"]
        );
    }
}
