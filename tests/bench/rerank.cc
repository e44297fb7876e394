// `sightline-bench rerank`: one query's patch tokens against those of a shortlist, beside PyTorch on the same tokens
// with as many threads. Ours and the peers' turns alternate: what else the machine does meets all alike.
//
// A token is sqrt(0.3) of one direction that all images share and sqrt(0.7) of noise of its own, so that the cosine
// between tokens of two images is 0.3 on average (what was measured is printed); the rest is fixed by a seed. Weights
// come from cross-correlation on all sides, epsilon is 0.05.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/status.h"
#include "base/thread_pool.h"
#include "index/kernels/aligned.h"
#include "index/kernels/float16.h"
#include "index/kernels/scaling.h"
#include "index/rerank/patch_set.h"
#include "index/rerank/transport.h"
#include "index/store/token_codec.h"
#include "tests/bench/bench.h"
#include "tests/bench/fma_peak.h"
#include "tests/bench/report.h"
#include "tests/bench/rerank_peer.h"

namespace sightline::bench {
namespace {

using index::PatchTokens;
using index::TokenPrecision;
using index::rerank::Patches;
using index::rerank::StopRule;
using index::rerank::TransportOptions;
using index::rerank::TransportQuery;
using index::rerank::TransportScore;

constexpr unsigned kSeed = 20220904;
constexpr int kThreads = 2;
constexpr int kDim = 128;
constexpr int kRounds = 20;
constexpr double kMeanCosine = 0.3;
constexpr int kManyRounds = 1000;

double MillisecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

std::vector<float> Noise(std::mt19937& random) {
  std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(kDim)));
  std::vector<float> values(kDim);
  for (float& value : values) value = normal(random);
  return values;
}

PatchTokens MakeTokens(std::mt19937& random, int side, const std::vector<float>& direction, TokenPrecision precision) {
  PatchTokens tokens;
  tokens.height = tokens.width = side;
  tokens.dim = kDim;
  tokens.precision = precision;
  const float along = static_cast<float>(std::sqrt(kMeanCosine)),
              across = static_cast<float>(std::sqrt(1 - kMeanCosine));
  for (int cell = 0; cell < tokens.cells(); ++cell) {
    std::vector<float> values = Noise(random);
    float largest = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = along * direction[i] + across * values[i];
      largest = std::max(largest, std::abs(values[i]));
    }
    if (precision == TokenPrecision::kInt8) {
      tokens.scales.push_back(largest / 127);
      for (const float value : values) {
        tokens.values.push_back(static_cast<int8_t>(std::lround(value / tokens.scales.back())));
      }
    } else {
      tokens.floats.insert(tokens.floats.end(), values.begin(), values.end());
    }
    tokens.importance.push_back(1.0f / static_cast<float>(tokens.cells()));
  }
  tokens.centre = Noise(random);
  for (size_t i = 0; i < tokens.centre.size(); ++i) tokens.centre[i] = 0.7f * direction[i] + 0.7f * tokens.centre[i];
  return tokens;
}

struct Shortlist {
  Shortlist(int grid, size_t candidates, TokenPrecision precision) : side(grid) {
    std::mt19937 random(kSeed);
    std::vector<float> direction = Noise(random);
    double square = 0;
    for (const float value : direction) square += static_cast<double>(value) * value;
    for (float& value : direction) value = static_cast<float>(value / std::sqrt(square));
    query = MakeTokens(random, grid, direction, precision);
    for (size_t i = 0; i < candidates; ++i) results.push_back(MakeTokens(random, grid, direction, precision));
    for (const PatchTokens& result : results) patches.push_back({&result});
  }

  // "100x14x14x128"
  std::string name() const { return absl::StrCat(results.size(), "x", side, "x", side, "x", kDim); }

  double MeanCosine() const {
    double sum = 0, count = 0;
    for (const PatchTokens& result : results) {
      const auto cosines = index::rerank::PatchSimilarities(result, query);
      for (const double cosine : *cosines) sum += cosine;
      count += static_cast<double>(cosines->size());
    }
    return sum / count;
  }

  int side;
  PatchTokens query;
  std::vector<PatchTokens> results;
  std::vector<Patches> patches;
};

// As a model makes them: scales that make unit vectors of the codes, importance and centre in half precision.
size_t StoredBytes(PatchTokens tokens) {
  const size_t dim = static_cast<size_t>(tokens.dim);
  for (size_t cell = 0; cell < tokens.scales.size(); ++cell) {
    double square = 0;
    for (size_t i = 0; i < dim; ++i) square += std::pow(tokens.values[cell * dim + i], 2);
    tokens.scales[cell] = static_cast<float>(1 / std::sqrt(square));
  }
  for (std::vector<float>* values : {&tokens.importance, &tokens.centre}) {
    for (float& value : *values) value = index::kernels::FloatFromFloat16(index::kernels::Float16FromFloat(value));
  }
  return index::EncodeTokens(tokens).size();
}

// What the machine allows, on all threads together.
struct Rates {
  double products = 0;      // GOP/s of bytes, or of floats where the machine has no instruction for bytes
  double exponentials = 0;  // G/s
  double cache = 0;         // GB/s from the second-level cache

  // Milliseconds: similarities, exponentials once, and the matrix read once in a round.
  double Limit(const Shortlist& list) const {
    const double cells = static_cast<double>(list.results.size()) * std::pow(list.side, 4);
    return (2 * cells * kDim / products + cells / exponentials + kRounds * cells * sizeof(float) / cache) / 1e6;
  }
};

Rates MeasureRates() {
  constexpr double kSeconds = 0.4;
  Rates rates;
  rates.products = Int8Peak(kThreads, kSeconds);
  Print(PlainRow("rerank", absl::StrCat("int8 product peak, ", kThreads, " threads"), rates.products, "GOP/s"));
  if (rates.products == 0) rates.products = FmaPeak(kThreads, kSeconds);
  rates.exponentials = TotalRate(kThreads, kSeconds,
                                 []() -> std::function<double()> {
                                   constexpr size_t kCount = 2048;
                                   auto from = std::make_shared<index::kernels::AlignedVector<float>>(kCount, 0.3f);
                                   auto to = std::make_shared<index::kernels::AlignedVector<float>>(kCount);
                                   return [from, to] {
                                     for (int turn = 0; turn < 100; ++turn)
                                       index::kernels::ExpOfCosines(from->data(), kCount, 0.05, to->data());
                                     return 100.0 * kCount;
                                   };
                                 }) /
                       1e9;
  Print(PlainRow("rerank", absl::StrCat("exponentials, ", kThreads, " threads"), rates.exponentials, "G/s"));
  rates.cache = ReadBandwidth(kThreads, size_t{256} << 10, kSeconds);
  Print(PlainRow("rerank", absl::StrCat("second-level cache, ", kThreads, " threads"), rates.cache, "GB/s"));
  return rates;
}

struct Ours {
  double milliseconds = 0;
  std::vector<TransportScore> scores;
};

class RerankBench {
 public:
  explicit RerankBench(std::string folder)
      : folder_(std::move(folder)), pool_({.name = "rerank", .threads = kThreads - 1, .on_thread_start = {}}) {}

  absl::Status Run(bool quick) {
    SIGHTLINE_ASSIGN_OR_RETURN(peer_, TransportPeer::Start(kThreads));
    rates_ = MeasureRates();
    SIGHTLINE_RETURN_IF_ERROR(Beside(Shortlist(7, 100, TokenPrecision::kInt8), quick ? 5 : 25));
    if (quick) return absl::OkStatus();
    const Shortlist list(14, 100, TokenPrecision::kInt8);
    SIGHTLINE_RETURN_IF_ERROR(Beside(list, 9));
    SIGHTLINE_RETURN_IF_ERROR(OwnStop(list, 9));
    SIGHTLINE_RETURN_IF_ERROR(Variants(list, 25));
    SIGHTLINE_RETURN_IF_ERROR(Beside(Shortlist(24, 100, TokenPrecision::kInt8), 3));
    Row row = PlainRow("rerank", "memory 14x14x128", static_cast<double>(StoredBytes(list.query)), "bytes an image");
    Print(row);
    return absl::OkStatus();
  }

 private:
  static TransportOptions Fixed(double mass = 1) {
    TransportOptions options;
    options.mass = mass;
    options.stop = StopRule::kFixed;
    options.max_rounds = kRounds;
    return options;
  }

  // From stored tokens to scores, packing the query included.
  absl::StatusOr<Ours> Score(const Shortlist& list, const TransportOptions& options) {
    Ours ours;
    ours.scores.resize(list.results.size());
    std::vector<absl::Status> statuses(kThreads);
    const auto start = std::chrono::steady_clock::now();
    SIGHTLINE_ASSIGN_OR_RETURN(const TransportQuery query, TransportQuery::Make({&list.query}, options));
    base::ParallelFor(&pool_, kThreads, [&](int part) {
      const size_t p = static_cast<size_t>(part), count = list.patches.size();
      const size_t begin = count * p / kThreads, end = count * (p + 1) / kThreads;
      const auto scores = query.Score(absl::MakeSpan(list.patches).subspan(begin, end - begin));
      statuses[p] = scores.status();
      if (scores.ok()) std::copy(scores->begin(), scores->end(), ours.scores.begin() + static_cast<ptrdiff_t>(begin));
    });
    ours.milliseconds = MillisecondsSince(start);
    for (const absl::Status& status : statuses) SIGHTLINE_RETURN_IF_ERROR(status);
    return ours;
  }

  // Once the peer's threads, which spin for a while after their work, have gone to sleep, and with caches as warm as
  // the peer's, which runs twice a turn as well.
  absl::StatusOr<Ours> WarmScore(const Shortlist& list, const TransportOptions& options) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    SIGHTLINE_RETURN_IF_ERROR(Score(list, options).status());
    return Score(list, options);
  }

  void PrintBeside(const std::string& name, const std::vector<double>& ours, const std::string& peer,
                   const std::vector<double>& theirs, std::optional<double> limit) const {
    for (const bool best : {false, true}) {
      Row row = PlainRow("rerank", best ? name + ", best turn" : name, best ? Least(ours) : Median(ours), "ms");
      row.higher_is_better = false;
      row.peer = peer;
      row.peer_value = best ? Least(theirs) : Median(theirs);
      row.limit = limit;
      Print(row);
    }
  }

  absl::Status Load(const Shortlist& list, double mass) { return peer_->Load(folder_, list.query, list.results, mass); }

  // Twenty rounds on all sides.
  absl::Status Beside(const Shortlist& list, int turns) {
    Print(PlainRow("rerank", absl::StrCat(list.name(), ", mean cosine of tokens"), list.MeanCosine(), "1"));
    SIGHTLINE_RETURN_IF_ERROR(Load(list, 1));
    std::vector<double> ours, reference, batched;
    double difference = 0;
    SIGHTLINE_RETURN_IF_ERROR(Score(list, Fixed()).status());
    for (int turn = 0; turn < turns; ++turn) {
      SIGHTLINE_ASSIGN_OR_RETURN(const Ours mine, WarmScore(list, Fixed()));
      SIGHTLINE_ASSIGN_OR_RETURN(const auto first, peer_->Run("reference", kRounds));
      SIGHTLINE_ASSIGN_OR_RETURN(const auto second, peer_->Run("batched", kRounds));
      ours.push_back(mine.milliseconds);
      reference.push_back(first.milliseconds);
      batched.push_back(second.milliseconds);
      for (size_t i = 0; i < mine.scores.size(); ++i) {
        difference = std::max({difference, std::abs(mine.scores[i].structural - first.scores.at(i)),
                               std::abs(mine.scores[i].structural - second.scores.at(i))});
      }
    }
    const double limit = rates_.Limit(list);
    PrintBeside(absl::StrCat(list.name(), " full"), ours, peer_->Name("reference"), reference, limit);
    PrintBeside(absl::StrCat("batched ", list.name(), " full"), ours, peer_->Name("batched"), batched, limit);
    Print(PlainRow("rerank", absl::StrCat(list.name(), " full, largest difference of S_struct"), difference, "1"));
    return absl::OkStatus();
  }

  // Each by its own rule for the end of the rounds.
  absl::Status OwnStop(const Shortlist& list, int turns) {
    SIGHTLINE_RETURN_IF_ERROR(Load(list, 1));
    std::vector<double> ours, reference;
    Ours mine;
    TransportPeer::Outcome theirs;
    for (int turn = 0; turn < turns; ++turn) {
      SIGHTLINE_ASSIGN_OR_RETURN(mine, WarmScore(list, {}));
      SIGHTLINE_ASSIGN_OR_RETURN(theirs, peer_->Run("reference", 0));
      ours.push_back(mine.milliseconds);
      reference.push_back(theirs.milliseconds);
    }
    const std::string name = absl::StrCat("own stop ", list.name(), " full");
    PrintBeside(name, ours, peer_->Name("reference"), reference, std::nullopt);
    double sum = 0;
    for (const TransportScore& score : mine.scores) sum += score.rounds;
    Print(PlainRow("rerank", name + ", rounds, mean", sum / static_cast<double>(mine.scores.size()), "rounds"));
    Print(PlainRow("rerank", name + ", rounds of the reference code", theirs.rounds, "rounds"));
    return PrintDistance(name, list, mine, theirs);
  }

  // How far both are from where the rounds lead.
  absl::Status PrintDistance(const std::string& name, const Shortlist& list, const Ours& mine,
                             const TransportPeer::Outcome& theirs) {
    TransportOptions many = Fixed();
    many.max_rounds = kManyRounds;
    SIGHTLINE_ASSIGN_OR_RETURN(const TransportQuery query, TransportQuery::Make({&list.query}, many));
    std::vector<double> ends(list.results.size());
    base::ParallelFor(&pool_, static_cast<int>(ends.size()), [&](int i) {
      const size_t at = static_cast<size_t>(i);
      const auto plan = query.Explain(list.patches[at]);
      ends[at] = plan.ok() ? plan->structural : NAN;
    });
    double ours = 0, reference = 0;
    for (size_t i = 0; i < ends.size(); ++i) {
      ours = std::max(ours, std::abs(mine.scores[i].structural - ends[i]));
      reference = std::max(reference, std::abs(theirs.scores.at(i) - ends[i]));
    }
    const std::string of = absl::StrCat(", largest difference of S_struct to ", kManyRounds, " rounds in double");
    Print(PlainRow("rerank", name + of, ours, "1"));
    Print(PlainRow("rerank", name + of + ", the reference code's", reference, "1"));
    return absl::OkStatus();
  }

  // Partial transport, floats and fewer cells, beside ours in full.
  absl::Status Variants(const Shortlist& list, int turns) {
    const Shortlist floats(list.side, list.results.size(), TokenPrecision::kFloat32);
    TransportOptions fewer = Fixed();
    fewer.query_cells = 64;
    std::vector<double> full, partial, full_floats, top;
    for (int turn = 0; turn < turns; ++turn) {
      SIGHTLINE_ASSIGN_OR_RETURN(const Ours a, Score(list, Fixed()));
      SIGHTLINE_ASSIGN_OR_RETURN(const Ours b, Score(list, Fixed(0.6)));
      SIGHTLINE_ASSIGN_OR_RETURN(const Ours c, Score(floats, Fixed()));
      SIGHTLINE_ASSIGN_OR_RETURN(const Ours e, Score(list, fewer));
      full.push_back(a.milliseconds);
      partial.push_back(b.milliseconds);
      full_floats.push_back(c.milliseconds);
      top.push_back(e.milliseconds);
    }
    PrintBeside(absl::StrCat(list.name(), " partial 0.6"), partial, "Sightline full", full, std::nullopt);
    PrintBeside(absl::StrCat(list.name(), " full, float32 tokens"), full_floats, "Sightline int8", full, std::nullopt);
    PrintBeside(absl::StrCat(list.name(), " full, 64 query cells"), top, "Sightline 196 cells", full, std::nullopt);
    // Of one thread.
    const double candidates = static_cast<double>(list.results.size()) / 1000 / kThreads;
    Print(PlainRow("rerank", "one candidate, int8 tokens", Median(full) / candidates, "us"));
    Print(PlainRow("rerank", "one candidate, float32 tokens", Median(full_floats) / candidates, "us"));
    Print(PlainRow("rerank", "one candidate, int8 tokens, 64 x 196", Median(top) / candidates, "us"));
    return absl::OkStatus();
  }

  const std::string folder_;
  base::ThreadPool pool_;
  Rates rates_;
  std::unique_ptr<TransportPeer> peer_;
};

}  // namespace

int RunRerank(bool quick) {
  PrintMachine("rerank");
  std::string pattern = (std::filesystem::temp_directory_path() / "sightline-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    std::fprintf(stderr, "sightline-bench: no temporary folder. Set TMPDIR to one that can be written.\n");
    return 1;
  }
  const absl::Status status = RerankBench(pattern).Run(quick);
  std::error_code ignored;
  std::filesystem::remove_all(pattern, ignored);
  if (status.ok()) return 0;
  std::fprintf(stderr, "sightline-bench: %s\n", std::string(status.message()).c_str());
  return 1;
}

}  // namespace sightline::bench
