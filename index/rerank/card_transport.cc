#include "index/rerank/card_transport.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/status.h"
#include "index/gpu/card.h"
#include "index/gpu/cuda_status.h"
#include "index/gpu/device_memory.h"
#include "index/rerank/card_token_cache.h"
#include "index/rerank/marginals.h"
#include "index/rerank/patch_set.h"
#include "index/rerank/transport_kernels.h"

namespace sightline::index::rerank {
namespace {

// Of a batch: what two launches are for. More would not be faster, and its tokens are held until its end.
constexpr size_t kMostPairs = 256;
// K and the weights of a batch may push so much of the tokens out of the card, but for a pair alone.
constexpr size_t kMostWorkShare = 2;

bool TooLarge(const PatchTokens& tokens) {
  return tokens.cells() > kMostCardCells || tokens.dim > CardTokenCache::kMostDim;
}

int MostPatches(const PatchTokens& tokens, int most) {
  return most > 0 ? std::min(most, tokens.cells()) : tokens.cells();
}

size_t Aligned(size_t bytes) { return (bytes + 15) / 16 * 16; }

// What a pair takes of the card beside its tokens: the weights of both sides, and K where shared memory is too small.
struct Work {
  explicit Work(const CardShape& shape)
      : columns_at(Aligned(SideBytes(shape.most_rows))),
        matrix_at(columns_at + Aligned(SideBytes(shape.most_columns))),
        bytes(matrix_at + (shape.matrix_in_shared ? 0 : MatrixBytes(shape))) {}

  static size_t SideBytes(int patches) {
    return sizeof(SideTotal) + static_cast<size_t>(patches) * (sizeof(int) + sizeof(float));
  }
  static size_t MatrixBytes(const CardShape& shape) {
    return sizeof(float) * static_cast<size_t>(shape.most_rows) * static_cast<size_t>(shape.most_columns);
  }
  static void Place(char* at, int patches, CardSide* side) {
    side->total = reinterpret_cast<SideTotal*>(at);
    side->chosen = reinterpret_cast<int*>(at + sizeof(SideTotal));
    side->weights = reinterpret_cast<float*>(side->chosen + patches);
  }

  size_t columns_at, matrix_at, bytes;
};

struct PlannedPair {
  CardPair pair;
  CardShape shape;
  size_t place = 0;  // among the results
};

bool SameKernel(const PlannedPair& a, const PlannedPair& b) {
  return a.shape.codes == b.shape.codes && a.shape.matrix_in_shared == b.shape.matrix_in_shared;
}

absl::Status TooLittle(size_t bytes) {
  return base::Error(absl::StatusCode::kResourceExhausted, "CARD_FULL",
                     absl::StrCat("the card has ", bytes,
                                  " bytes for re-ranking, too few for the tokens and the matrix of one pair. Give it "
                                  "more, or keep tokens of fewer cells."),
                     {{"limit", absl::StrCat(bytes)}});
}

absl::Status Lost(int device) {
  return base::Error(absl::StatusCode::kInternal, "CARD_LOST",
                     absl::StrCat("cuda:", device,
                                  " has failed before. It is not used again by this process; restart it, and see the "
                                  "driver's log."));
}

double RestOf(const TransportOptions& options) { return options.mass < kFullMass ? 1 - options.mass : 0; }

CardRounds RoundsOf(const TransportOptions& options, int quads) {
  return {.quads = quads,
          .max_rounds = options.max_rounds,
          .epsilon = static_cast<float>(options.epsilon),
          .dummy = static_cast<float>(RestOf(options)),
          .rest = RestOf(options),
          .tolerance = options.stop == StopRule::kMarginalError ? static_cast<float>(2 * options.tolerance) : -1};
}

class CardTransport final : public TransportDevice {
 public:
  CardTransport(std::shared_ptr<gpu::Card> card, gpu::CardMemory memory, size_t shared_limit,
                std::unique_ptr<CardTokenCache> cache)
      : card_(std::move(card)), memory_(std::move(memory)), shared_limit_(shared_limit), cache_(std::move(cache)) {}

  absl::StatusOr<std::vector<std::optional<TransportScore>>> Score(const TransportQuery& query,
                                                                   absl::Span<const Patches> results) override;
  TransportDeviceStats Stats() const override;

 private:
  using Scores = std::vector<PairScore>;

  absl::Status Check(const TransportQuery& query, absl::Span<const Patches> results) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // kLeftToCpu where the card does not say.
  absl::StatusOr<Scores> ScoreOnCard(const TransportQuery& query, absl::Span<const Patches> results)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Those from *next on, as many as fit; false where none does.
  absl::StatusOr<bool> ScoreBatch(const TransportQuery& query, absl::Span<const Patches> results, size_t* next,
                                  Scores* scores) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::optional<CardSide>> HoldSide(const Patches& patches, int most)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<std::optional<PlannedPair>> Plan(const CardSide& columns, const Patches& result,
                                                  const TransportQuery& query, size_t work_left)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Run(const TransportOptions& options, int quads, std::vector<PlannedPair> pairs, char* pairs_at,
                   char* scores_at, Scores* scores) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<gpu::Card> card_;
  const gpu::CardMemory memory_;
  const size_t shared_limit_;  // of a block
  mutable base::Mutex mutex_;
  const std::unique_ptr<CardTokenCache> cache_ ABSL_PT_GUARDED_BY(mutex_);
  TransportDeviceStats stats_ ABSL_GUARDED_BY(mutex_);
};

absl::StatusOr<std::vector<std::optional<TransportScore>>> CardTransport::Score(const TransportQuery& query,
                                                                                absl::Span<const Patches> results) {
  base::MutexLock lock(mutex_);
  SIGHTLINE_RETURN_IF_ERROR(Check(query, results));
  const absl::StatusOr<Scores> on_card = ScoreOnCard(query, results);
  if (!on_card.ok()) {
    card_->Failed(on_card.status());
    ++stats_.failures;
    cache_->Forget();
    return on_card.status();
  }
  std::vector<std::optional<TransportScore>> scores(results.size());
  for (size_t i = 0; i < results.size(); ++i) {
    const PairScore& score = (*on_card)[i];
    const bool left = score.outcome == PairOutcome::kLeftToCpu;
    ++(left ? stats_.left_to_cpu : stats_.scored);
    if (left) continue;
    scores[i] = {score.structural, score.mass, score.rounds, score.outcome == PairOutcome::kConverged};
  }
  return scores;
}

TransportDeviceStats CardTransport::Stats() const {
  base::MutexLock lock(mutex_);
  TransportDeviceStats stats = stats_;
  stats.uploads = cache_->uploads();
  stats.found = cache_->found();
  stats.evicted = cache_->evicted();
  stats.images = cache_->images();
  stats.bytes_used = cache_->used();
  stats.bytes = cache_->bytes();
  return stats;
}

// Tokens on the card have been looked through when they were uploaded, value by value.
absl::Status CardTransport::Check(const TransportQuery& query, absl::Span<const Patches> results) const {
  const Marginals marginals = query.options().marginals;
  for (const Patches& result : results) {
    const CardTokensLayout* const known = result.tokens == nullptr ? nullptr : cache_->Find(*result.tokens);
    const bool passed = known != nullptr && result.mask.empty() && (known->has_centre() || !NeedsCentre(marginals)) &&
                        (known->has_importance() || marginals != Marginals::kImportance);
    if (!passed) SIGHTLINE_RETURN_IF_ERROR(CheckPatches(result, query.options()));
    SIGHTLINE_RETURN_IF_ERROR(CheckSameDimension(*query.patches().tokens, *result.tokens));
  }
  return absl::OkStatus();
}

absl::StatusOr<CardTransport::Scores> CardTransport::ScoreOnCard(const TransportQuery& query,
                                                                 absl::Span<const Patches> results) {
  if (card_->lost()) return Lost(card_->device());
  SIGHTLINE_RETURN_IF_ERROR(gpu::MakeCurrent(card_->device()));
  Scores scores(results.size(), {.outcome = PairOutcome::kLeftToCpu});
  const TransportOptions& options = query.options();
  if (options.stop == StopRule::kReference || NeedsDouble(options) || TooLarge(*query.patches().tokens)) return scores;
  for (size_t next = 0; next < results.size();) {
    SIGHTLINE_ASSIGN_OR_RETURN(bool fitted, ScoreBatch(query, results, &next, &scores));
    if (!fitted) {
      // There may be room enough, in pieces.
      cache_->Forget();
      SIGHTLINE_ASSIGN_OR_RETURN(fitted, ScoreBatch(query, results, &next, &scores));
    }
    if (!fitted) return TooLittle(cache_->bytes());
  }
  return scores;
}

absl::StatusOr<bool> CardTransport::ScoreBatch(const TransportQuery& query, absl::Span<const Patches> results,
                                               size_t* next, Scores* scores) {
  const TransportOptions& options = query.options();
  cache_->BeginBatch();
  const std::optional<char*> pairs_at = cache_->Take(kMostPairs * sizeof(CardPair));
  const std::optional<char*> scores_at = cache_->Take(kMostPairs * sizeof(PairScore));
  std::optional<CardSide> columns;
  if (pairs_at && scores_at) {
    SIGHTLINE_ASSIGN_OR_RETURN(columns, HoldSide(query.patches(), options.query_cells));
  }
  if (!columns) return false;
  std::vector<PlannedPair> pairs;
  const size_t most_work = cache_->bytes() / kMostWorkShare;
  size_t work = 0;
  for (; *next < results.size() && pairs.size() < kMostPairs; ++*next) {
    if (TooLarge(*results[*next].tokens)) continue;
    SIGHTLINE_ASSIGN_OR_RETURN(
        std::optional<PlannedPair> pair,
        Plan(*columns, results[*next], query, pairs.empty() ? cache_->bytes() : most_work - std::min(most_work, work)));
    if (!pair) break;
    work += Work(pair->shape).bytes;
    pair->place = *next;
    pairs.push_back(*std::move(pair));
  }
  if (pairs.empty()) return *next == results.size();
  const int quads = (query.patches().tokens->dim + 3) / 4;
  SIGHTLINE_RETURN_IF_ERROR(Run(options, quads, std::move(pairs), *pairs_at, *scores_at, scores));
  return true;
}

absl::StatusOr<std::optional<CardSide>> CardTransport::HoldSide(const Patches& patches, int most) {
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<CardTokens> tokens, cache_->Hold(*patches.tokens));
  if (!tokens) return std::nullopt;
  CardSide side = {.tokens = *tokens, .most = most};
  if (patches.mask.empty()) return side;
  const std::optional<char*> mask = cache_->Take(patches.mask.size());
  if (!mask) return std::nullopt;
  SIGHTLINE_RETURN_IF_ERROR(cache_->Upload(*mask, patches.mask.size(),
                                           [&](char* to) { std::copy(patches.mask.begin(), patches.mask.end(), to); }));
  side.mask = reinterpret_cast<const uint8_t*>(*mask);
  return side;
}

absl::StatusOr<std::optional<PlannedPair>> CardTransport::Plan(const CardSide& columns, const Patches& result,
                                                               const TransportQuery& query, size_t work_left) {
  const TransportOptions& options = query.options();
  SIGHTLINE_ASSIGN_OR_RETURN(const std::optional<CardSide> rows, HoldSide(result, options.result_cells));
  if (!rows) return std::nullopt;
  PlannedPair planned;
  planned.pair = {.rows = *rows, .columns = columns};
  planned.shape = {.codes = rows->tokens.kind == QuadKind::kInt8 && columns.tokens.kind == QuadKind::kInt8,
                   .matrix_in_shared = true,
                   .most_rows = MostPatches(*result.tokens, options.result_cells),
                   .most_columns = MostPatches(*query.patches().tokens, options.query_cells)};
  planned.shape.matrix_in_shared = TransportSharedBytes(planned.shape) <= shared_limit_;
  const Work work(planned.shape);
  if (work.bytes > work_left) return std::nullopt;
  const std::optional<char*> at = cache_->Take(work.bytes);
  if (!at) return std::nullopt;
  Work::Place(*at, planned.shape.most_rows, &planned.pair.rows);
  Work::Place(*at + work.columns_at, planned.shape.most_columns, &planned.pair.columns);
  planned.pair.matrix = reinterpret_cast<float*>(*at + work.matrix_at);
  return planned;
}

absl::Status CardTransport::Run(const TransportOptions& options, int quads, std::vector<PlannedPair> pairs,
                                char* pairs_at, char* scores_at, Scores* scores) {
  // One launch for all pairs that the same kernel is for.
  std::stable_sort(pairs.begin(), pairs.end(), [](const PlannedPair& a, const PlannedPair& b) {
    return std::pair(a.shape.codes, a.shape.matrix_in_shared) < std::pair(b.shape.codes, b.shape.matrix_in_shared);
  });
  SIGHTLINE_RETURN_IF_ERROR(cache_->Upload(pairs_at, pairs.size() * sizeof(CardPair), [&](char* to) {
    for (size_t i = 0; i < pairs.size(); ++i) reinterpret_cast<CardPair*>(to)[i] = pairs[i].pair;
  }));
  const auto* const on_card = reinterpret_cast<const CardPair*>(pairs_at);
  auto* const scored = reinterpret_cast<PairScore*>(scores_at);
  const CardWeighing weighing = {
      .marginals = options.marginals, .quads = quads, .temperature = options.temperature, .rest = RestOf(options)};
  SIGHTLINE_RETURN_IF_ERROR(
      gpu::CudaStatus(LaunchPatchWeights(on_card, static_cast<int>(pairs.size()), weighing, cache_->stream()),
                      "the weights of patches"));
  for (size_t begin = 0; begin < pairs.size();) {
    CardShape shape = pairs[begin].shape;
    size_t end = begin;
    for (; end < pairs.size() && SameKernel(pairs[begin], pairs[end]); ++end) {
      shape.most_rows = std::max(shape.most_rows, pairs[end].shape.most_rows);
      shape.most_columns = std::max(shape.most_columns, pairs[end].shape.most_columns);
    }
    SIGHTLINE_RETURN_IF_ERROR(
        gpu::CudaStatus(LaunchTransport(on_card + begin, static_cast<int>(end - begin), shape, RoundsOf(options, quads),
                                        scored + begin, cache_->stream()),
                        "the transport of a batch"));
    begin = end;
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const char* const done, cache_->Download(scores_at, pairs.size() * sizeof(PairScore)));
  for (size_t i = 0; i < pairs.size(); ++i) {
    (*scores)[pairs[i].place] = reinterpret_cast<const PairScore*>(done)[i];
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<TransportDevice>> OpenCardTransport(std::shared_ptr<gpu::Card> card,
                                                                   const CardTransportOptions& options) {
  SIGHTLINE_RETURN_IF_ERROR(gpu::MakeCurrent(card->device()));
  size_t shared_limit = 0;
  SIGHTLINE_RETURN_IF_ERROR(gpu::CudaStatus(TransportSharedLimit(&shared_limit), "a look at the card's limits"));
  const auto budget = static_cast<size_t>(card->budget_bytes(gpu::CardUse::kTokens));
  SIGHTLINE_ASSIGN_OR_RETURN(auto cache, CardTokenCache::Open(budget, options.least_bytes));
  SIGHTLINE_ASSIGN_OR_RETURN(gpu::CardMemory memory,
                             gpu::Card::Reserve(card, gpu::CardUse::kTokens, static_cast<int64_t>(cache->bytes())));
  return std::make_unique<CardTransport>(std::move(card), std::move(memory), shared_limit, std::move(cache));
}

}  // namespace sightline::index::rerank
