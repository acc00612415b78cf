//! Several runs in one document: a table, verdicts on what was claimed, and curves laid over each other.

use super::curves::thin;
use super::html::{document, heading, section, warnings};
use super::markdown;
use super::svg::{Axis, axes, curve};
use super::text::{escape, escape_markdown};

/// Colours of series; from then on they repeat with another dash pattern.
const N_COLOURS: usize = 8;

/// Everything the document shows. Equal records give equal bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ComparisonReport {
    /// The heading.
    pub title: String,
    /// Model, data and the like: name and value.
    pub facts: Vec<(String, String)>,
    /// Sentences the reader must see, such as what was not run.
    pub notes: Vec<String>,
    /// Tables, the results first.
    pub tables: Vec<ResultTable>,
    /// What was claimed, and what became of it.
    pub claims: Vec<ClaimLine>,
    /// Curves.
    pub charts: Vec<Overlay>,
    /// Settings that all runs share.
    pub settings: Vec<super::Setting>,
}

/// A table under a heading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResultTable {
    /// The heading.
    pub title: String,
    /// What its figures are.
    pub caption: String,
    /// Column names; the first column is text, the others are numbers.
    pub head: Vec<String>,
    /// Rows, each as long as `head`.
    pub rows: Vec<Vec<String>>,
}

/// A claim with its verdict, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimLine {
    /// The claim.
    pub text: String,
    /// How it is judged; may be empty.
    pub judged: String,
    /// The verdict.
    pub verdict: String,
    /// The numbers behind it.
    pub evidence: Vec<String>,
}

/// A chart with several curves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// What is drawn.
    pub title: String,
    /// What it is drawn over.
    pub over: Over,
    /// One curve each.
    pub series: Vec<Series>,
}

/// What runs along a chart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Over {
    /// Optimizer steps, from 0 on.
    #[default]
    Steps,
    /// The values of a setting, named; each twice the one before or so, and so at equal distances.
    Setting(String),
}

/// One curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// Its name.
    pub label: String,
    /// Step (or setting) and value, ascending.
    pub points: Vec<(f64, f64)>,
}

impl ComparisonReport {
    /// One self-contained HTML document.
    #[must_use]
    pub fn to_html(&self) -> String {
        let title = escape(&self.title);
        let facts: Vec<(String, &str)> =
            self.facts.iter().map(|(name, value)| (escape(name), value.as_str())).collect();
        let facts: Vec<(&str, &str)> = facts.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let mut out = heading("comparison", &title, &facts);
        out.push_str(&warnings(&self.notes));
        let tables: Vec<String> = self.tables.iter().enumerate().map(|(i, table)| table.to_html(i)).collect();
        // What is asked first comes first: the results, what they say, the curves.
        let (results, others) = tables.split_at(tables.len().min(1));
        out.push_str(&results.concat());
        if !self.claims.is_empty() {
            out.push_str(&section("claims", "Claims of the paper", "", &self.html_claims()));
        }
        let charts: String = self.charts.iter().enumerate().map(|(i, chart)| overlay(i, chart)).collect();
        if !charts.is_empty() {
            out.push_str(&section("curves", "Curves", "Means over seeds.", &charts));
        }
        out.push_str(&others.concat());
        if !self.settings.is_empty() {
            let settings = super::tables::settings(&self.settings);
            out.push_str(&section("settings", "Settings of all runs", "", &settings));
        }
        document(&title, &out)
    }

    /// The same without the curves, as Markdown.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut out = format!("# {}\n\n", escape_markdown(&self.title));
        for (name, value) in self.facts.iter().filter(|(_, value)| !value.is_empty()) {
            out.push_str(&format!("- {name}: {}\n", escape_markdown(value)));
        }
        for note in &self.notes {
            out.push_str(&format!("- note: {}\n", escape_markdown(note)));
        }
        let (results, others) = self.tables.split_at(self.tables.len().min(1));
        results.iter().for_each(|table| out.push_str(&format!("\n{}", table.to_markdown())));
        if !self.claims.is_empty() {
            out.push_str("\n## Claims of the paper\n\n");
            self.claims.iter().for_each(|claim| out.push_str(&markdown_claim(claim)));
        }
        for table in others {
            out.push_str(&format!("\n## {}\n\n{}", escape_markdown(&table.title), table.to_markdown()));
        }
        if !self.settings.is_empty() {
            let rows =
                self.settings.iter().map(|s| vec![escape_markdown(&s.name), escape_markdown(&s.value)]);
            let table = markdown::table(&["setting", "value"], 2, rows);
            out.push_str(&format!("\n## Settings of all runs\n\n{table}"));
        }
        out
    }

    fn html_claims(&self) -> String {
        let mut out = String::from("<ol class=\"claims\">");
        for claim in &self.claims {
            let evidence: String =
                claim.evidence.iter().map(|line| format!("<li>{}</li>", escape(line))).collect();
            let judged = if claim.judged.is_empty() {
                String::new()
            } else {
                format!("<p class=\"note\">{}</p>", escape(&claim.judged))
            };
            out.push_str(&format!(
                "<li>{} <span class=\"verdict\">{}</span>{judged}<ul>{evidence}</ul></li>",
                escape(&claim.text),
                escape(&claim.verdict)
            ));
        }
        out.push_str("</ol>\n");
        out
    }
}

impl ResultTable {
    /// Section number `i` of a document.
    fn to_html(&self, i: usize) -> String {
        let mut out = format!(
            "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\"><table><thead><tr>",
            escape(&self.title)
        );
        for (i, name) in self.head.iter().enumerate() {
            let class = if i == 0 { "" } else { " class=\"n verbatim\"" };
            out.push_str(&format!("<th scope=\"col\"{class}>{}</th>", escape(name)));
        }
        out.push_str("</tr></thead><tbody>");
        for row in &self.rows {
            for (i, cell) in row.iter().enumerate() {
                let cell = escape(cell);
                out.push_str(&match i {
                    0 => format!("<tr><th scope=\"row\">{cell}</th>"),
                    _ => format!("<td class=\"n\">{cell}</td>"),
                });
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table></div>\n");
        section(&format!("table-{i}"), &escape(&self.title), &escape(&self.caption), &out)
    }

    fn to_markdown(&self) -> String {
        let head: Vec<String> = self.head.iter().map(|name| escape_markdown(name)).collect();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        let rows = self.rows.iter().map(|row| row.iter().map(|cell| escape_markdown(cell)).collect());
        format!("{}\n\n{}", escape_markdown(&self.caption), markdown::table(&head, 1, rows))
    }
}

fn markdown_claim(claim: &ClaimLine) -> String {
    let judged = if claim.judged.is_empty() { String::new() } else { format!(" ({})", claim.judged) };
    let mut out =
        format!("- **{}**: {}{}\n", claim.verdict, escape_markdown(&claim.text), escape_markdown(&judged));
    for line in &claim.evidence {
        out.push_str(&format!("  - {}\n", escape_markdown(line)));
    }
    out
}

/// One chart with its legend.
fn overlay(i: usize, chart: &Overlay) -> String {
    let points = || chart.series.iter().flat_map(|series| &series.points);
    let (x, over) = match &chart.over {
        Over::Steps => (Axis::steps(points().map(|point| point.0).chain([0.0]), 5), "steps"),
        Over::Setting(name) => (Axis::doublings(points().map(|point| point.0)), name.as_str()),
    };
    let y = Axis::widened(points().map(|point| point.1), 4);
    let mut drawing = axes(&x, &y);
    let mut legend = String::new();
    for (i, series) in chart.series.iter().enumerate() {
        let class = format!("line s{} d{}", i % N_COLOURS, i / N_COLOURS % 3);
        drawing.push_str(&curve(&class, &thin(&series.points), &x, &y));
        legend.push_str(&format!(
            "<span class=\"series\"><svg width=\"24\" height=\"8\" aria-hidden=\"true\">\
             <line class=\"{class}\" x1=\"0\" x2=\"24\" y1=\"4\" y2=\"4\"/></svg>{}</span>",
            escape(&series.label)
        ));
    }
    let (title, over) = (escape(&chart.title), escape(over));
    format!(
        "<figure class=\"chart\"><figcaption><h3>{title}</h3></figcaption><div class=\"plot tall\">\
         <svg width=\"100%\" height=\"100%\" role=\"img\" aria-labelledby=\"overlay-{i}\">\
         <title id=\"overlay-{i}\">{title} over {over}</title>{drawing}</svg></div>\
         <p class=\"legend\">{legend}</p></figure>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::super::html::tests::check_well_formed;
    use super::*;

    fn table(text: &str) -> ResultTable {
        ResultTable {
            title: text.into(),
            caption: text.into(),
            head: vec!["method".into(), text.into()],
            rows: vec![vec![text.into(), "91.2 ± 0.3".into()]],
        }
    }

    fn example(text: &str) -> ComparisonReport {
        let series = (0..10).map(|i| Series {
            label: format!("{text} {i}"),
            points: vec![(1.0, 0.5), (2.0, f64::NAN), (3.0, 0.1 * f64::from(i))],
        });
        let series: Vec<Series> = series.collect();
        let overlay = |over| Overlay { title: text.into(), over, series: series.clone() };
        ComparisonReport {
            title: text.into(),
            facts: vec![("Model".into(), text.into())],
            notes: vec![text.into()],
            tables: vec![table(text), table(text)],
            claims: vec![ClaimLine {
                text: text.into(),
                judged: text.into(),
                verdict: "holds".into(),
                evidence: vec![text.into()],
            }],
            charts: vec![overlay(Over::Steps), overlay(Over::Setting(text.into())), Overlay::default()],
            settings: vec![super::super::Setting { name: "rank".into(), value: text.into() }],
        }
    }

    #[test]
    fn the_page_is_whole_and_foreign_text_stays_text() {
        for text in ["LoRA", "<script>alert(\"1\")</script>' onload='x"] {
            let html = example(text).to_html();
            assert_eq!(check_well_formed(&html), Ok(()));
            assert!(html.contains("91.2 ± 0.3") && html.contains("holds"));
            for forbidden in ["<script", "<link", "<img", "src=\"", "href=", "url("] {
                assert!(!html.contains(forbidden), "{forbidden}");
            }
        }
        assert_eq!(check_well_formed(&ComparisonReport::default().to_html()), Ok(()));
    }

    #[test]
    fn curves_beyond_the_colours_are_dashed() {
        let html = example("x").to_html();
        assert!(html.contains("line s7 d0") && html.contains("line s0 d1"));
    }

    #[test]
    fn the_markdown_holds_table_and_verdicts() {
        let text = example("a|b").to_markdown();
        assert!(text.contains("| method | a\\|b |") && text.contains("| a\\|b | 91.2 ± 0.3 |"), "{text}");
        assert!(text.contains("- **holds**: a\\|b (a\\|b)\n  - a\\|b\n"), "{text}");
    }
}
