//! The picture: throughput and latency of holds and captures against how many are in flight.

use crate::arguments::{Spread, Work};
use crate::report::Row;
use std::fmt::Write;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
const MARGIN: f64 = 60.0;

/// Room for the title above the panels and the legend below them.
const ABOVE: f64 = 60.0;
const BELOW: f64 = 110.0;

/// A line of a panel.
struct Series {
    name: &'static str,
    colour: &'static str,
    dashes: &'static str,
    /// What it is at each number in flight.
    points: Vec<(f64, f64)>,
}

/// A panel: both axes are logarithmic.
struct Panel {
    title: &'static str,
    left: f64,
    series: Vec<Series>,
}

/// Draws both panels.
pub(crate) fn draw(rows: &[Row]) -> String {
    let (width, height) = ((WIDTH + MARGIN) * 2.0 + MARGIN / 2.0, HEIGHT + ABOVE + BELOW);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"{MARGIN}\" y=\"24\" font-size=\"16\">Hold and capture: the service over gRPC beside hand-written SQL</text>\n"
    );
    let panels = [
        Panel {
            title: "operations per second",
            left: MARGIN,
            series: series(rows, |row| (row.service.ops_s, row.hand.ops_s)),
        },
        Panel {
            title: "p99 latency, milliseconds",
            left: MARGIN * 2.0 + WIDTH,
            series: series(rows, |row| (row.service.p99_ms, row.hand.p99_ms)),
        },
    ];
    for panel in &panels {
        panel.draw(&mut svg);
    }
    legend(&mut svg, panels.first().map_or(&[], |panel| &panel.series));
    svg.push_str("</svg>\n");
    svg
}

/// One line for each side and spread.
fn series(rows: &[Row], figures: fn(&Row) -> (f64, f64)) -> Vec<Series> {
    let points = |spread: Spread, is_service: bool| {
        let rows =
            rows.iter().filter(|row| row.stage.work == Work::HoldCapture && row.stage.spread == spread);
        let figure = |row: &Row| if is_service { figures(row).0 } else { figures(row).1 };
        rows.map(|row| (row.stage.in_flight as f64, figure(row))).collect()
    };
    [
        ("service, 10,000 accounts", "#0b6e4f", "", Spread::Wide, true),
        ("SQL, 10,000 accounts", "#888888", "", Spread::Wide, false),
        ("service, one account", "#0b6e4f", "6 4", Spread::Hot, true),
        ("SQL, one account", "#888888", "6 4", Spread::Hot, false),
    ]
    .map(|(name, colour, dashes, spread, is_service)| Series {
        name,
        colour,
        dashes,
        points: points(spread, is_service),
    })
    .into()
}

/// The powers of `base` that enclose values.
fn decades(values: impl Iterator<Item = f64>, base: f64) -> (f64, f64) {
    let logs: Vec<f64> = values.filter(|&value| value > 0.0).map(|value| value.log(base)).collect();
    let low = logs.iter().copied().fold(f64::INFINITY, f64::min).floor();
    let high = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max).ceil();
    if low.is_finite() { (low, high.max(low + 1.0)) } else { (0.0, 1.0) }
}

impl Panel {
    fn draw(&self, svg: &mut String) {
        let points = || self.series.iter().flat_map(|series| series.points.iter().copied());
        let (x_low, x_high) = decades(points().map(|point| point.0), 2.0);
        let (y_low, y_high) = decades(points().map(|point| point.1), 10.0);
        let x = |log: f64| self.left + (log - x_low) / (x_high - x_low) * WIDTH;
        let y = |log: f64| ABOVE + HEIGHT - (log - y_low) / (y_high - y_low) * HEIGHT;
        let (left, right, bottom) = (self.left, self.left + WIDTH, ABOVE + HEIGHT);
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(svg, "<text x=\"{left}\" y=\"{}\">{}</text>", ABOVE - 12.0, self.title);
        let mut log = x_low;
        while log <= x_high {
            let (at, value) = (x(log), 2_f64.powf(log));
            let _ = writeln!(
                svg,
                "<line x1=\"{at}\" y1=\"{ABOVE}\" x2=\"{at}\" y2=\"{bottom}\" stroke=\"#eeeeee\"/>"
            );
            let below = bottom + 16.0;
            let _ = writeln!(svg, "<text x=\"{at}\" y=\"{below}\" text-anchor=\"middle\">{value}</text>");
            log += 2.0;
        }
        log = y_low;
        while log <= y_high {
            let (at, value) = (y(log), 10_f64.powf(log));
            let _ = writeln!(
                svg,
                "<line x1=\"{left}\" y1=\"{at}\" x2=\"{right}\" y2=\"{at}\" stroke=\"#cccccc\"/>"
            );
            let (beside, middle) = (left - 6.0, at + 4.0);
            let _ = writeln!(svg, "<text x=\"{beside}\" y=\"{middle}\" text-anchor=\"end\">{value}</text>");
            log += 1.0;
        }
        let (middle, below) = (left + WIDTH / 2.0, bottom + 34.0);
        let _ = writeln!(svg, "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">in flight</text>");
        for series in &self.series {
            let place = |&(at, value): &(f64, f64)| (x(at.log2()), y(value.max(f64::MIN_POSITIVE).log10()));
            series.draw(svg, &series.points.iter().map(place).collect::<Vec<_>>());
        }
    }
}

impl Series {
    fn draw(&self, svg: &mut String, places: &[(f64, f64)]) {
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let Self { colour, dashes, .. } = self;
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\"/>",
            path.join(" ")
        );
        for (x, y) in places {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
        }
    }
}

fn legend(svg: &mut String, series: &[Series]) {
    let mut left = MARGIN;
    let at = ABOVE + HEIGHT + 72.0;
    for Series { name, colour, dashes, .. } in series {
        let (end, beside, middle) = (left + 30.0, left + 38.0, at + 4.0);
        let _ = writeln!(
            svg,
            "<line x1=\"{left}\" y1=\"{at}\" x2=\"{end}\" y2=\"{at}\" stroke=\"{colour}\" stroke-width=\"2\" \
             stroke-dasharray=\"{dashes}\"/>\n<text x=\"{beside}\" y=\"{middle}\">{name}</text>"
        );
        left += 220.0;
    }
}
