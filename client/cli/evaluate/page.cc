// The page of an evaluation. It asks the network for nothing and runs no script: its Content-Security-Policy allows
// data: pictures and, by hash, its own style. Whatever comes from outside passes HtmlText.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "client/cli/evaluate/picture_size.h"
#include "client/cli/evaluate/report.h"
#include "client/cli/html.h"
#include "client/cli/text.h"

namespace sightline::cli {

// page/evaluate.css, embedded by the build.
extern const absl::string_view kEvaluateCss;

namespace {

std::string PageHead(absl::string_view title) {
  return absl::StrCat(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src ",
      CspHash(kEvaluateCss), "; base-uri 'none'; form-action 'none'\">\n",
      "<meta name=\"referrer\" content=\"no-referrer\">\n",
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>", HtmlText(title), "</title>\n<style>",
      kEvaluateCss, "</style>\n</head>\n");
}

std::string NumbersTable(const EvalReport& report) {
  std::string out = "<div class=\"scroll\"><table>\n<thead><tr><th>run</th><th>split</th><th>queries</th>";
  for (const BenchMeasure& measure : report.measures) absl::StrAppend(&out, "<th>", HtmlText(measure.name), "</th>");
  absl::StrAppend(&out, "</tr></thead>\n<tbody>\n");
  for (const EvalRunReport& run : report.runs) {
    for (size_t s = 0; s < run.splits.size(); ++s) {
      const SplitScore& score = run.splits[s];
      absl::StrAppend(&out, "<tr><td>", HtmlText(run.name), "</td><td>", HtmlText(report.split_names[s]), "</td><td>",
                      score.queries, "</td>");
      for (size_t m = 0; m < report.measures.size(); ++m) {
        absl::StrAppend(&out, "<td>", ShownMean(report.measures[m], score, m), "</td>");
      }
      absl::StrAppend(&out, "</tr>\n");
    }
  }
  return absl::StrCat(out, "</tbody></table></div>\n");
}

std::string ThresholdsSection(const EvalReport& report) {
  if (report.thresholds.rows.empty()) return "";
  std::string out = absl::StrCat("<h2>What a threshold leaves (", HtmlText(report.runs[0].name),
                                 ")</h2>\n<div class=\"scroll\"><table>\n<thead><tr>");
  for (const std::string& title : ThresholdTitles(report.thresholds)) absl::StrAppend(&out, "<th>", title, "</th>");
  absl::StrAppend(&out, "</tr></thead>\n<tbody>\n");
  for (const std::vector<std::string>& row : ThresholdRows(report.thresholds)) {
    absl::StrAppend(&out, "<tr>");
    for (const std::string& cell : row) absl::StrAppend(&out, "<td>", cell, "</td>");
    absl::StrAppend(&out, "</tr>\n");
  }
  return absl::StrCat(out, "</tbody></table></div>\n");
}

// The box over a picture whose size is known.
std::string Boxes(const PagePicture& picture) {
  const auto size = PictureSize(picture.bytes);
  if (!size || picture.crops.empty()) return "";
  std::string out = absl::StrFormat("<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" aria-hidden=\"true\">",
                                    size->first, size->second);
  for (const v1::CropBox& box : picture.crops) {
    for (const char* side : {" class=\"under\"", ""}) {
      absl::StrAppendFormat(&out, "<rect%s x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>", side, box.x0(),
                            box.y0(), box.x1() - box.x0(), box.y1() - box.y0());
    }
  }
  return absl::StrCat(out, "</svg>");
}

// A path, which may break behind a folder before it has to break within a name.
std::string PathName(absl::string_view path) {
  return absl::StrCat("<bdi>", absl::StrReplaceAll(HtmlText(path), {{"/", "/<wbr>"}}), "</bdi>");
}

std::string PictureFigure(const PagePicture& picture, absl::string_view kind, absl::string_view label) {
  const std::string mime = ImageMimeType(picture.bytes);
  const std::string image =
      mime.empty() ? absl::StrCat("<div class=\"missing\">No picture: ", HtmlText(picture.missing), "</div>")
                   : absl::StrCat("<img alt=\"", HtmlText(picture.name), "\" src=\"", DataUri(mime, picture.bytes),
                                  "\">", Boxes(picture));
  return absl::StrCat("<figure class=\"", kind, "\"><div class=\"frame\">", image, "</div><figcaption><b>", label,
                      "</b> ", PathName(picture.name), "</figcaption></figure>\n");
}

// What a measure that is a mean over queries is called for one of them: the AP of mAP.
absl::string_view OfOneQuery(absl::string_view measure) {
  return absl::StartsWithIgnoreCase(measure, "map") ? measure.substr(1) : measure;
}

std::string ResultRow(absl::string_view heading, absl::string_view kind, const std::vector<EvalPicture>& results) {
  std::string out = absl::StrCat("<p class=\"note\">", heading, "</p>\n<div class=\"row\">\n");
  for (const EvalPicture& result : results) {
    absl::StrAppend(&out, PictureFigure(result.picture, kind, absl::StrCat(result.rank, ".")));
  }
  return absl::StrCat(out, "</div>\n");
}

std::string FailureSection(const EvalReport& report, const EvalFailure& failure, size_t place) {
  return absl::StrCat(
      "<section class=\"failure\">\n<h3>", place, ". ", PathName(failure.query), "</h3>\n<p class=\"note\">",
      HtmlText(OfOneQuery(report.measures[0].name)), " ", ShownValue(report.measures[0], failure.value), " \u00b7 ",
      failure.found, " of ", Plural(failure.positives, "right image"), " found",
      failure.box.empty() ? "" : absl::StrCat(" \u00b7 box ", HtmlText(failure.box)), "</p>\n<div class=\"row\">\n",
      PictureFigure(failure.picture, "query", "query"), "</div>\n<div>\n",
      failure.wrong.empty() ? "" : ResultRow("The first wrong results", "wrong", failure.wrong),
      failure.right.empty() ? "<p class=\"note\">No right image was found.</p>\n"
                            : ResultRow("The first right results", "right", failure.right),
      "</div>\n</section>\n");
}

}  // namespace

std::string EvalPage(const EvalReport& report, const std::vector<EvalFailure>& failures) {
  std::string out = absl::StrCat(PageHead(absl::StrCat("Evaluation: ", report.title)),
                                 "<body>\n<main>\n<h1>Evaluation: ", HtmlText(report.title), " \u00b7 ",
                                 HtmlName(report.ground_truth), "</h1>\n");
  for (const std::string& note : report.notes) {
    absl::StrAppend(&out, "<p class=\"warning\" role=\"note\">", HtmlText(note), "</p>\n");
  }
  absl::StrAppend(&out, NumbersTable(report));
  for (const EvalRunReport& run : report.runs) {
    if (run.milliseconds.empty()) continue;
    absl::StrAppend(&out, "<p class=\"note\">A search, ", HtmlText(run.name), ":");
    for (const auto& [stage, time] : run.milliseconds) {
      absl::StrAppend(&out, " ", HtmlText(stage), absl::StrFormat(" %.1f ms", time));
    }
    absl::StrAppend(&out, "</p>\n");
  }
  absl::StrAppend(&out, ThresholdsSection(report));
  if (!failures.empty()) {
    absl::StrAppend(&out, "<h2>Queries that went wrong, worst first (", HtmlText(report.runs[0].name), ")</h2>\n");
  }
  for (size_t i = 0; i < failures.size(); ++i) absl::StrAppend(&out, FailureSection(report, failures[i], i + 1));
  absl::StrAppend(&out, "<section class=\"source\">\n<h2>How this was made</h2>\n<p>", HtmlName(report.source), ": ",
                  Plural(report.images, "image"), ", ", FormatCount(report.distractors), " of them distractors");
  if (!report.model.model().empty()) {
    absl::StrAppend(&out, "; model ", HtmlName(report.model.model()), ", ", HtmlText(report.model.numeric()),
                    report.scales.empty() ? "" : absl::StrCat(", scales ", HtmlText(report.scales)),
                    ", embedding space ", HtmlText(report.model.embedding_space()), "; index ", HtmlText(report.index));
  }
  absl::StrAppend(&out, ".</p>\n<p>", HtmlText(report.made), "</p>\n<pre>", HtmlText(report.command), "</pre>\n");
  for (const EvalRunReport& run : report.runs) {
    if (run.settings.empty()) continue;
    absl::StrAppend(&out, "<details><summary>The request of ", HtmlText(run.name), "</summary>\n<pre>",
                    HtmlText(run.settings), "</pre></details>\n");
  }
  return absl::StrCat(out, "</section>\n</main>\n</body>\n</html>\n");
}

}  // namespace sightline::cli
