// How long a card takes to re-rank a shortlist whose tokens it holds already: the whole call, with the query's upload
// and the scores' download, beside the same on one thread of the CPU.
//
//   sightline-gpu-transport-benchmark [RESULTS SIDE DIM RUNS]    100 14 128 50 unless given
//
// Ends with 1 when a score is more than 1e-4 off the CPU's. Lines that begin with `figure` are for programs: a name, a
// number and its unit.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/gpu/card.h"
#include "index/record.h"
#include "index/rerank/card_transport.h"

namespace sightline::index::rerank {
namespace {

constexpr double kMostOff = 1e-4;

using Clock = std::chrono::steady_clock;

double Milliseconds(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

PatchTokens MakeTokens(std::mt19937& random, int side, int dim) {
  std::uniform_int_distribution<int> code(-60, 100);  // cosines to each other, and to the centre, of about 0.15
  PatchTokens tokens;
  tokens.height = tokens.width = side;
  tokens.dim = dim;
  tokens.centre.assign(static_cast<size_t>(dim), 1);
  tokens.scales.assign(static_cast<size_t>(tokens.cells()), 0.01f);
  for (int i = 0; i < tokens.cells() * dim; ++i) tokens.values.push_back(static_cast<int8_t>(code(random)));
  return tokens;
}

absl::Status Run(int results, int side, int dim, int runs) {
  std::mt19937 random(1);
  std::vector<PatchTokens> images;
  for (int i = 0; i <= results; ++i) {
    images.push_back(MakeTokens(random, side, dim));
    if (i > 0) images.back().stored_as = {1, static_cast<uint64_t>(i)};
  }
  std::vector<Patches> shortlist;
  for (size_t i = 1; i < images.size(); ++i) shortlist.push_back({&images[i]});
  SIGHTLINE_ASSIGN_OR_RETURN(std::shared_ptr<gpu::Card> opened, gpu::OpenCard({.device = 0}));
  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<TransportDevice> card, OpenCardTransport(std::move(opened)));
  std::printf("%d results of %dx%dx%d in int8\n", results, side, side, dim);
  TransportOptions options;
  // As by default, and as long as a search can take at the default's most rounds.
  for (const StopRule stop : {StopRule::kMarginalError, StopRule::kFixed}) {
    options.stop = stop;
    SIGHTLINE_ASSIGN_OR_RETURN(const TransportQuery query, TransportQuery::Make({images.data()}, options));
    SIGHTLINE_ASSIGN_OR_RETURN(const auto scores, card->Score(query, shortlist));
    const Clock::time_point begin_cpu = Clock::now();
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<TransportScore> expected, query.Score(shortlist));
    const double cpu = Milliseconds(begin_cpu);
    double off = 0;
    int rounds = 0;
    for (size_t i = 0; i < scores.size(); ++i) {
      if (!scores[i]) return absl::InternalError(absl::StrCat("result ", i, " was left to the CPU"));
      off = std::max(off, std::abs(scores[i]->structural - expected[i].structural));
      rounds = std::max(rounds, scores[i]->rounds);
    }
    std::vector<double> times;
    for (int i = 0; i < runs; ++i) {
      const Clock::time_point begin = Clock::now();
      SIGHTLINE_RETURN_IF_ERROR(card->Score(query, shortlist).status());
      times.push_back(Milliseconds(begin));
    }
    std::sort(times.begin(), times.end());
    std::printf("%-8s up to %3d rounds: %.3f ms, at most %.3f ms; one thread of the CPU %.1f ms; %.1e off\n",
                stop == StopRule::kFixed ? "fixed" : "default", rounds, times[times.size() / 2], times.back(), cpu,
                off);
    std::printf("figure rerank_%s %.3f ms\n", stop == StopRule::kFixed ? "fixed" : "default", times[times.size() / 2]);
    if (!(off <= kMostOff)) return absl::InternalError(absl::StrCat("a score is ", off, " off the CPU's"));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace sightline::index::rerank

int main(int argc, char** argv) {
  const auto given = [&](int i, int fallback) { return argc > i ? std::max(std::atoi(argv[i]), 1) : fallback; };
  const absl::Status status = sightline::index::rerank::Run(given(1, 100), given(2, 14), given(3, 128), given(4, 50));
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return 1;
}
