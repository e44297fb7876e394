// Evidence in words and plain text.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_CLIENT_CLI_EVIDENCE_TEXT_H_
#define SIGHTLINE_CLIENT_CLI_EVIDENCE_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"
#include "sightline/v1/embedding.pb.h"
#include "sightline/v1/rerank.pb.h"
#include "sightline/v1/search_service.pb.h"

namespace sightline::cli {

// "very likely the same object: 0.97".
std::string ConfidenceText(double confidence);

// "0.97"; never 0.00 or 1.00 for what is neither.
std::string ConfidenceNumber(double confidence);

// "0.12,0.30,0.18,0.36", as --crop takes it.
std::string BoxText(const v1::CropBox& box);

// The score and its parts, with the confidence where there is one.
std::string SummaryText(const v1::Evidence& evidence);

// The whole account: the score's parts, and the strongest pairs as a table.
std::string EvidenceText(const v1::Evidence& evidence, absl::string_view query, absl::string_view result);

// What a collection's confidence is and how good, line by line with `name` before each value.
std::string ConfidenceModelText(const v1::ConfidenceModel& model);

// "1 / (1 + exp(-(8.1 * score + 4.2 * structural_score - 9)))".
std::string FormulaText(const v1::ConfidenceModel& model);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_EVIDENCE_TEXT_H_
