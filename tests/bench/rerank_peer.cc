#include "tests/bench/rerank_peer.h"

#include <cmath>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace sightline::bench {
namespace {

void WriteUnit(std::ofstream& file, std::vector<float> values) {
  double square = 0;
  for (const float value : values) square += static_cast<double>(value) * value;
  for (float& value : values) value = static_cast<float>(value / std::sqrt(square));
  file.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
}

// What the codes stand for, so that both sides compare the same tokens.
void WriteTokens(std::ofstream& file, const index::PatchTokens& tokens) {
  const size_t dim = static_cast<size_t>(tokens.dim);
  for (size_t t = 0; t < static_cast<size_t>(tokens.cells()); ++t) {
    std::vector<float> values(dim);
    for (size_t i = 0; i < dim; ++i) {
      values[i] = tokens.floats.empty() ? tokens.values[t * dim + i] : tokens.floats[t * dim + i];
    }
    WriteUnit(file, std::move(values));
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<TransportPeer>> TransportPeer::Start(int threads) {
  auto process = PythonPeer::Start(SIGHTLINE_RERANK_REFERENCE, threads);
  if (!process.ok()) return process.status();
  return std::unique_ptr<TransportPeer>(new TransportPeer(*std::move(process)));
}

absl::Status TransportPeer::Load(const std::string& folder, const index::PatchTokens& query,
                                 absl::Span<const index::PatchTokens> results, double mass) {
  {
    std::ofstream query_file(folder + "/query", std::ios::binary), centre(folder + "/query_centre", std::ios::binary);
    std::ofstream results_file(folder + "/results", std::ios::binary), centres(folder + "/centres", std::ios::binary);
    WriteTokens(query_file, query);
    WriteUnit(centre, query.centre);
    for (const index::PatchTokens& result : results) {
      WriteTokens(results_file, result);
      WriteUnit(centres, result.centre);
    }
    for (std::ofstream* file : {&query_file, &centre, &results_file, &centres}) {
      if (!file->flush()) return absl::InternalError("the peer's tokens cannot be written. Is the disk full?");
    }
  }
  const absl::StatusOr<nlohmann::json> answer = process_->Ask({{"load", folder},
                                                               {"candidates", results.size()},
                                                               {"query", query.cells()},
                                                               {"result", results.front().cells()},
                                                               {"dim", query.dim},
                                                               {"mass", mass}});
  if (!answer.ok()) return answer.status();
  methods_ = answer->value("methods", nlohmann::json::object());
  return absl::OkStatus();
}

absl::StatusOr<TransportPeer::Outcome> TransportPeer::Run(const std::string& method, int rounds) {
  const absl::StatusOr<nlohmann::json> answer = process_->Ask({{"run", method}, {"rounds", rounds}});
  if (!answer.ok()) return answer.status();
  return Outcome{.milliseconds = answer->value("milliseconds", 0.0),
                 .rounds = answer->value("rounds", 0),
                 .scores = answer->value("scores", std::vector<double>())};
}

std::string TransportPeer::Name(const std::string& method) const {
  const nlohmann::json& hello = process_->hello();
  return absl::StrCat(method == "reference" ? "reference code" : "batched rewrite", ", PyTorch ",
                      hello.value("torch", ""), " ", hello.value("capability", ""), ", ", methods_.value(method, ""));
}

}  // namespace sightline::bench
