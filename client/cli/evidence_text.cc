#include "client/cli/evidence_text.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/cli/table.h"
#include "client/cli/text.h"
#include "client/cli/values.h"

namespace sightline::cli {
namespace {

std::string Signed(double value) { return absl::StrFormat("%s %.4g", value < 0 ? "-" : "+", std::abs(value)); }

std::string Line(absl::string_view name, absl::string_view value) {
  return absl::StrFormat("%-18s %s\n", name, Printable(value));
}

// "optimal transport, mass 0.6, weight 1": what differs from the model's defaults.
std::string RerankText(const v1::RerankOptions& options) {
  if (options.method() == v1::RerankOptions::METHOD_OFF) return "off";
  std::string out = "optimal transport";
  if (options.has_mass()) absl::StrAppendFormat(&out, ", mass %g", options.mass());
  if (options.has_epsilon()) absl::StrAppendFormat(&out, ", epsilon %g", options.epsilon());
  if (options.marginals() != v1::RerankOptions::MARGINALS_UNSPECIFIED) {
    absl::StrAppend(&out, ", marginals ",
                    absl::StrReplaceAll(absl::AsciiStrToLower(absl::StripPrefix(
                                            v1::RerankOptions::Marginals_Name(options.marginals()), "MARGINALS_")),
                                        {{"_", "-"}}));
  }
  if (options.has_temperature()) absl::StrAppendFormat(&out, ", temperature %g", options.temperature());
  if (options.query_cells() > 0) absl::StrAppend(&out, ", query_cells ", options.query_cells());
  if (options.result_cells() > 0) absl::StrAppend(&out, ", result_cells ", options.result_cells());
  return out;
}

}  // namespace

std::string ConfidenceNumber(double confidence) {
  if (confidence > 0.995 && confidence < 1) return "above 0.99";
  if (confidence < 0.005 && confidence > 0) return "below 0.01";
  return absl::StrFormat("%.2f", confidence);
}

std::string ConfidenceText(double confidence) {
  const char* const words = confidence >= 0.95  ? "very likely the same object"
                            : confidence >= 0.8 ? "likely the same object"
                            : confidence >= 0.5 ? "perhaps the same object"
                            : confidence >= 0.2 ? "probably another object"
                                                : "very likely another object";
  return absl::StrCat(words, ": ", ConfidenceNumber(confidence));
}

std::string BoxText(const v1::CropBox& box) {
  return box.unit() == v1::CropBox::UNIT_PIXEL
             ? absl::StrFormat("%g,%g,%g,%g", box.x0(), box.y0(), box.x1(), box.y1())
             : absl::StrFormat("%.3f,%.3f,%.3f,%.3f", box.x0(), box.y0(), box.x1(), box.y1());
}

std::string SummaryText(const v1::Evidence& evidence) {
  return absl::StrCat(
      evidence.has_confidence() ? absl::StrCat(ConfidenceText(evidence.confidence()), "\n") : "",
      Line("rerank score", absl::StrFormat("%.4f = cosine %.4f %s * structural score %.4f", evidence.rerank_score(),
                                           evidence.score(), Signed(evidence.weight()), evidence.structural_score())),
      Line("mass transported", absl::StrFormat("%.4f", evidence.mass())));
}

std::string EvidenceText(const v1::Evidence& evidence, absl::string_view query, absl::string_view result) {
  const std::string out = absl::StrCat(Printable(query), " and ", Printable(result), "\n", SummaryText(evidence));
  if (evidence.correspondences().empty()) {
    return absl::StrCat(out, "no patch of one matches a patch of the other\n");
  }
  Table table({{"#", Align::kRight},
               {"mass", Align::kRight},
               {"cosine", Align::kRight},
               {"box in the first"},
               {"box in the second"}});
  for (int i = 0; i < evidence.correspondences_size(); ++i) {
    const auto& pair = evidence.correspondences(i);
    table.AddRow({absl::StrCat(i + 1), absl::StrFormat("%.4f", pair.mass()), absl::StrFormat("%.4f", pair.cosine()),
                  BoxText(pair.query_box()), BoxText(pair.result_box())});
  }
  return absl::StrCat(out, table.Render());
}

std::string FormulaText(const v1::ConfidenceModel& model) {
  return absl::StrFormat("1 / (1 + exp(-(%.4g * score %s * structural_score %s)))", model.a(), Signed(model.b()),
                         Signed(model.c()));
}

std::string ConfidenceModelText(const v1::ConfidenceModel& model) {
  return absl::StrCat(
      Line("confidence", FormulaText(model)),
      Line("by the score alone",
           absl::StrFormat("1 / (1 + exp(-(%.4g * score %s)))", model.score_only_a(), Signed(model.score_only_c()))),
      Line("fitted on", Plural(model.pairs(), "pair")), Line("fitted", TimeText(model.fit_time())),
      Line("patches compared", RerankText(model.rerank())),
      Line("log loss", absl::StrFormat("%.4f, on pairs left out of the fit", model.log_loss())),
      Line("calibration error",
           absl::StrFormat("%.4f: how far confidence and truth lie apart there", model.expected_error())),
      Line("accuracy", absl::StrFormat("%.4f, telling the same from another at 0.5", model.accuracy())));
}

}  // namespace sightline::cli
