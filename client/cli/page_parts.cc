#include "client/cli/page_parts.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/evidence_text.h"
#include "client/cli/html.h"
#include "client/cli/json.h"

namespace sightline::cli {
namespace {

constexpr int64_t kMostCells = 65'536;  // of a heat-map; a grid of tokens has at most a few thousand

std::string Number(double value) {
  // A typographic minus, which is as wide as a digit.
  return std::isfinite(value) ? absl::StrFormat("%s%.4f", value < 0 ? "\u2212" : "", std::abs(value)) : "not a number";
}

std::string BoxNumbers(const v1::CropBox& box) {
  return JsonArray({JsonNumber(box.x0()), JsonNumber(box.y0()), JsonNumber(box.x1()), JsonNumber(box.y1())});
}

bool IsFinite(const v1::CropBox& box) {
  return std::isfinite(box.x0()) && std::isfinite(box.y0()) && std::isfinite(box.x1()) && std::isfinite(box.y1());
}

std::string HeatNumbers(const v1::HeatMap& map) {
  const int64_t cells = int64_t{map.height()} * map.width();
  if (map.height() < 1 || map.width() < 1 || cells > kMostCells || cells != map.values_size()) return "null";
  std::vector<std::string> values;
  for (const float value : map.values()) values.push_back(std::isfinite(value) ? JsonNumber(value) : "0");
  JsonObject object;
  object.Int("height", map.height()).Int("width", map.width()).Raw("values", JsonArray(values));
  if (map.has_region() && IsFinite(map.region())) object.Raw("region", BoxNumbers(map.region()));
  return object.Done();
}

// Widths in a bar of 1,000 units that stands for the greatest score there can be, 1 + weight. What is below 0 has none.
std::string Bar(double score, double structural) {
  const auto width = [](double share) { return std::isfinite(share) ? std::clamp(share, 0.0, 1.0) * 1000 : 0.0; };
  const double first = width(score);
  const double second = std::min(width(structural), 1000 - first);
  return absl::StrFormat(
      "<svg class=\"bar\" viewBox=\"0 0 1000 20\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
      "<rect class=\"rest\" width=\"1000\" height=\"20\"/>"
      "<rect class=\"cosine\" width=\"%.1f\" height=\"20\"/>"
      "<rect class=\"structural\" x=\"%.1f\" width=\"%.1f\" height=\"20\"/></svg>\n",
      first, first, second);
}

}  // namespace

std::string ScoreParts(const PageMatch& match) {
  std::string out;
  const bool explained = match.evidence.has_value();
  const std::optional<double> confidence = match.confidence ? match.confidence
                                           : explained && match.evidence->has_confidence()
                                               ? std::optional<double>(match.evidence->confidence())
                                               : std::nullopt;
  if (confidence) absl::StrAppend(&out, "<p class=\"verdict\">", HtmlText(ConfidenceText(*confidence)), "</p>\n");
  if (!explained) {
    return absl::StrCat(
        out, "<p class=\"sum\">cosine <b>", Number(match.score),
        "</b></p>\n<p class=\"note\">No evidence: the answer has it for the best results alone, and only "
        "where query and result both have patch tokens.</p>\n");
  }
  const v1::Evidence& evidence = *match.evidence;
  const double weighted = evidence.weight() * evidence.structural_score();
  const double most = 1 + std::max(evidence.weight(), 0.0);
  const std::string structural =
      evidence.weight() == 1 ? absl::StrCat("structural score <b>", Number(evidence.structural_score()), "</b>")
                             : absl::StrCat(absl::StrFormat("%g", evidence.weight()), " \u00d7 structural score ",
                                            Number(evidence.structural_score()), " = <b>", Number(weighted), "</b>");
  absl::StrAppend(&out, Bar(evidence.score() / most, weighted / most),
                  "<p class=\"sum\"><span class=\"key cosine\">cosine <b>", Number(evidence.score()),
                  "</b></span> <span class=\"key structural\">+ ", structural, "</span> <span class=\"key\">sum <b>",
                  Number(evidence.rerank_score()), "</b> of at most ", absl::StrFormat("%g", most),
                  "</span> <span class=\"key\">mass transported <b>", Number(evidence.mass()), "</b></span></p>\n");
  return out;
}

std::string PairTable(const v1::Evidence& evidence) {
  std::string out = absl::StrCat(
      "<table><caption>The strongest pairs of patches; boxes are left, top, right and bottom edge as shares of the "
      "picture</caption>\n<thead><tr><th>#</th><th>mass</th><th>cosine</th><th>box in the first</th>"
      "<th>box in the second</th></tr></thead>\n<tbody>\n");
  for (int i = 0; i < evidence.correspondences_size(); ++i) {
    const auto& pair = evidence.correspondences(i);
    absl::StrAppend(&out, "<tr data-pair=\"", i, "\"><td>", i + 1, "</td><td>", Number(pair.mass()), "</td><td>",
                    Number(pair.cosine()), "</td><td>", BoxText(pair.query_box()), "</td><td>",
                    BoxText(pair.result_box()), "</td></tr>\n");
  }
  return absl::StrCat(out, "</tbody></table>\n");
}

std::string PairNumbers(const v1::Evidence& evidence) {
  std::vector<std::string> pairs;
  for (int i = 0; i < evidence.correspondences_size(); ++i) {
    const auto& pair = evidence.correspondences(i);
    if (!IsFinite(pair.query_box()) || !IsFinite(pair.result_box()) || !std::isfinite(pair.mass()) ||
        !std::isfinite(pair.cosine())) {
      continue;
    }
    pairs.push_back(JsonObject()
                        .Int("row", i)
                        .Raw("query", BoxNumbers(pair.query_box()))
                        .Raw("result", BoxNumbers(pair.result_box()))
                        .Number("mass", pair.mass())
                        .Number("cosine", pair.cosine())
                        .Done());
  }
  return JsonObject()
      .Raw("pairs", JsonArray(pairs))
      .Number("mass", evidence.mass())
      .Raw("query_heat", HeatNumbers(evidence.query_heat_map()))
      .Raw("result_heat", HeatNumbers(evidence.result_heat_map()))
      .Done();
}

}  // namespace sightline::cli
