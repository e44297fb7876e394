#include "index/engine.h"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/collection_search.h"
#include "index/filter/filter_parser.h"
#include "index/kernels/inner_product.h"
#include "index/rerank/augmentation.h"
#include "index/segment_loader.h"

namespace sightline::index {
namespace {

// Room for one batch of writes, at least.
constexpr size_t kMinBatchRows = 65'536;
// About as many rows does a search of a graph look at.
constexpr int64_t kRowsOfGraphSearch = 3'000;
// A caller who has gone is noticed within about a millisecond.
constexpr uint32_t kRowsBetweenLooks = 1'024;

}  // namespace

Engine::Engine(Store& store, const DatabaseOptions& options, const EnginePools& pools)
    : store_(store),
      options_(options.segments),
      batch_rows_(static_cast<uint32_t>(std::max(kMinBatchRows, options.max_pending_writes))),
      pools_(pools),
      low_memory_(options.low_memory),
      card_(options.card),
      card_lists_(options.card_lists),
      policy_(options.low_memory ? IndexKind::kExact : store.config().index_kind,
              kernels::CodeLayout(static_cast<size_t>(store.config().descriptor_dim)).stride) {}

Engine::~Engine() = default;

std::shared_ptr<Segment> Engine::MakeSegment(bool augmented) const {
  const CollectionConfig& config = store_.config();
  SegmentShape shape;
  shape.chunk = {static_cast<size_t>(config.descriptor_dim), config.descriptor_precision};
  shape.chunk_rows = options_.chunk_rows;
  // A batch of writes is never split, and may come when a segment is nearly full.
  const uint32_t batch_chunks = (batch_rows_ + options_.chunk_rows - 1) / options_.chunk_rows;
  shape.max_rows = options_.segment_rows + (1 + batch_chunks) * options_.chunk_rows;
  if (config.hnsw_m > 0) shape.graph.m = config.hnsw_m;
  if (config.hnsw_ef_construction > 0) shape.graph.ef_construction = config.hnsw_ef_construction;
  shape.inverted = policy_.kind() == IndexKind::kIvf;
  shape.map_codes = low_memory_;
  shape.card = card_;
  if (shape.inverted) shape.card_lists = card_lists_;
  return std::make_shared<Segment>(
      shape, [this](uint64_t key) { return store_.ReadDescriptor(key); }, augmented);
}

absl::StatusOr<std::unique_ptr<Engine>> Engine::Open(Store& store, const std::string& folder,
                                                     const DatabaseOptions& options, const EnginePools& pools) {
  std::unique_ptr<Engine> engine(new Engine(store, options, pools));
  const Files files(options.env);
  SIGHTLINE_RETURN_IF_ERROR(files.CreateFolder(folder));
  const auto make = [raw = engine.get()](bool augmented) { return raw->MakeSegment(augmented); };
  SIGHTLINE_ASSIGN_OR_RETURN(LoadedSegments loaded, LoadSegments(store, files, folder, options, make));
  engine->segments_ = std::make_unique<SegmentList>([make] { return make(false); }, options.segments.segment_rows,
                                                    std::move(loaded.segments));
  engine->upkeep_ = std::make_unique<Upkeep>(
      Upkeep::Context{.collection = store.config().name,
                      .folder = folder,
                      .segments = *engine->segments_,
                      .store = store,
                      .policy = engine->policy_,
                      .options = options.segments,
                      .device = store.config().device,
                      .make_segment = make,
                      .augment = [raw = engine.get()](
                                     const OptimizeOptions& how, uint64_t key,
                                     std::vector<float>* descriptor) { return raw->Augment(how, key, descriptor); },
                      .lists = store.config().ivf_lists,
                      .most_code_bytes = options.memory_budget_bytes == 0
                                             ? std::numeric_limits<int64_t>::max()
                                             : static_cast<int64_t>(static_cast<double>(options.memory_budget_bytes) *
                                                                    options.segments.max_code_share),
                      .pool = options.segments.background ? pools.build : nullptr},
      files, std::move(loaded.known));
  engine->upkeep_->Wake();
  return engine;
}

void Engine::Apply(BatchEffect effect) {
  segments_->Apply(std::move(effect));
  upkeep_->Wake();
}

absl::StatusOr<SearchOutcome> Engine::Search(const SearchQuery& query) const {
  absl::StatusOr<SearchOutcome> outcome =
      CollectionSearch(store_.config(), segments_->Now(), policy_, pools_.search).Run(query);
  if (outcome.ok()) card_scans_.fetch_add(outcome->card_scans, std::memory_order_relaxed);
  return outcome;
}

// Calls visit(segment, rows), where `rows` are those alive that satisfy the filter.
template <typename Visit>
absl::Status Engine::ForEachMatching(const std::string& filter_text, Visit visit) const {
  SIGHTLINE_ASSIGN_OR_RETURN(const Filter filter, ParseFilter(filter_text));
  const SegmentList::Moment now = segments_->Now();
  for (size_t i = 0; i < now.segments->size(); ++i) {
    const Segment& segment = *(*now.segments)[i];
    Roaring rows =
        segment.attributes().Read([&](const AttributeIndex& index) { return index.Evaluate(filter, now.rows[i]); });
    segment.RemoveDead(&rows);
    if (!visit(segment, rows)) break;
  }
  return absl::OkStatus();
}

// Calls visit(row table, row) for each of those rows, until it says false or the caller has gone.
template <typename Visit>
absl::Status Engine::ForEachMatchingRow(const std::string& filter, const Cancelled& cancelled, Visit visit) const {
  absl::Status gone;
  const auto go_on = [&] {
    if (cancelled && cancelled()) {
      gone = base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                         "the caller went away while the images that satisfy the filter were looked for; nothing was "
                         "changed. Send it again if it is still wanted.");
    }
    return gone.ok();
  };
  SIGHTLINE_RETURN_IF_ERROR(ForEachMatching(filter, [&](const Segment& segment, const Roaring& rows) {
    uint32_t looked_at = 0;
    for (const uint32_t row : rows) {
      if (looked_at++ % kRowsBetweenLooks == 0 && !go_on()) return false;
      if (segment.row_table().Alive(row) && !visit(segment.row_table(), row)) return false;
    }
    return go_on();
  }));
  return gone;
}

absl::StatusOr<std::vector<uint64_t>> Engine::MatchingKeys(const std::string& filter, uint64_t after, size_t most,
                                                           const Cancelled& cancelled) const {
  std::vector<uint64_t> keys;
  // Keys ascend with the rows, and from segment to segment.
  SIGHTLINE_RETURN_IF_ERROR(ForEachMatchingRow(filter, cancelled, [&](const RowTable& table, uint32_t row) {
    if (const uint64_t key = table.Key(row); key > after) keys.push_back(key);
    return keys.size() < most;
  }));
  return keys;
}

absl::StatusOr<std::vector<std::string>> Engine::MatchingIds(const std::string& filter,
                                                             const Cancelled& cancelled) const {
  std::vector<std::string> ids;
  SIGHTLINE_RETURN_IF_ERROR(ForEachMatchingRow(filter, cancelled, [&](const RowTable& table, uint32_t row) {
    ids.push_back(table.Id(row));
    return true;
  }));
  return ids;
}

absl::StatusOr<std::vector<AttributeCount>> Engine::CountValues(const std::string& key,
                                                                const std::string& filter) const {
  std::map<AttributeValue, int64_t> counts;
  SIGHTLINE_RETURN_IF_ERROR(ForEachMatching(filter, [&](const Segment& segment, const Roaring& rows) {
    for (auto& [value, images] :
         segment.attributes().Read([&](const AttributeIndex& index) { return index.CountValues(key, rows); })) {
      counts[std::move(value)] += images;
    }
    return true;
  }));
  std::vector<AttributeCount> sorted;
  for (auto& [value, images] : counts) sorted.push_back({value, images});
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const AttributeCount& a, const AttributeCount& b) { return a.images > b.images; });
  return sorted;
}

absl::Status Engine::Augment(const OptimizeOptions& options, uint64_t key, std::vector<float>* descriptor) const {
  // From what was written, not from what an earlier augmentation made of it; only who its neighbours are is found among
  // what is searched.
  SIGHTLINE_ASSIGN_OR_RETURN(*descriptor, store_.ReadDescriptor(key));
  if (options.augment_neighbours == 0) return absl::OkStatus();
  const SegmentList::Moment now = segments_->Now();
  std::vector<std::pair<float, uint64_t>> nearest;
  for (size_t i = 0; i < now.segments->size(); ++i) {
    const Segment& segment = *(*now.segments)[i];
    SegmentQuery query;
    query.query = descriptor->data();
    query.k = static_cast<size_t>(options.augment_neighbours) + 1;  // the row finds itself
    query.rows = now.rows[i];
    query.clock = now.clock;
    query.links = policy_.UseLinks(segment.live());
    query.pool = pools_.search;
    for (const ScoredRow& scored : segment.Search(query).best) {
      const uint64_t other = segment.row_table().Key(static_cast<uint32_t>(scored.row));
      if (other != key) nearest.emplace_back(scored.score, other);
    }
  }
  std::sort(nearest.rbegin(), nearest.rend());
  const size_t dim = descriptor->size();
  std::vector<float> rows, cosines;
  for (const auto& [score, other] : nearest) {
    if (cosines.size() == static_cast<size_t>(options.augment_neighbours)) break;
    const absl::StatusOr<std::vector<float>> written = store_.ReadDescriptor(other);
    if (absl::IsNotFound(written.status())) continue;  // deleted meanwhile
    SIGHTLINE_RETURN_IF_ERROR(written.status());
    rows.insert(rows.end(), written->begin(), written->end());
    // Not the score: that may be of what an earlier augmentation has made of the other.
    kernels::InnerProducts(descriptor->data(), written->data(), dim, dim, 1, &cosines.emplace_back());
  }
  *descriptor = rerank::AugmentRow(descriptor->data(), {rows.data(), cosines.size(), dim, dim}, cosines.data(),
                                   options.augment_alpha);
  return absl::OkStatus();
}

void Engine::SetIndexKind(IndexKind kind) {
  // Where memory is short nothing is built; the next start without that does it.
  if (low_memory_) return;
  policy_.SetKind(kind);
  upkeep_->Wake();
}

void Engine::SetDevice(IndexDevice device) { upkeep_->SetDevice(device); }

absl::Status Engine::Optimize(const OptimizeOptions& options, const Progress& progress) {
  if (options.augment_neighbours < 0 || options.augment_neighbours > 100 ||
      !(options.augment_alpha >= 0 && options.augment_alpha <= 10)) {
    return base::InvalidArgument(
        "OUT_OF_RANGE", absl::StrCat("augment_neighbours is ", options.augment_neighbours, " and augment_alpha ",
                                     options.augment_alpha, "; they must be 0 to 100 and 0 to 10. Choose others."));
  }
  return upkeep_->Optimize(options, progress);
}

void Engine::FillStats(CollectionStats* stats) const {
  const auto segments = segments_->segments();
  int64_t rows = 0, linked = 0;
  for (const auto& segment : *segments) {
    stats->images += segment->live();
    rows += segment->rows();
    stats->tail_images += segment->unsealed_rows();
    const uint32_t of_kind = upkeep_->OfOtherKind(*segment) ? 0 : segment->linked_rows();
    linked += of_kind;
    if (policy_.WantsLinks(segment->live())) stats->graph_backlog += segment->rows() - of_kind;
    const gpu::RowsOnCard on_card = segment->on_card();
    stats->card_images += on_card.rows;
    stats->card_bytes += on_card.bytes;
    const LayerBytes bytes = segment->memory();
    stats->memory.descriptors += bytes.descriptors;
    stats->memory.codes += bytes.codes;
    stats->memory.graph += bytes.graph;
    stats->memory.attributes += bytes.attributes;
  }
  stats->memory.graph += upkeep_->quantizer_bytes();
  stats->card_scans = card_scans_.load(std::memory_order_relaxed);
  stats->deleted_images = rows - stats->images;
  stats->segments = static_cast<int>(segments->size());
  stats->index_choice = policy_.Explain(stats->images, linked);
}

void Engine::AddDiskBytes(LayerBytes* bytes) const {
  const auto stride =
      static_cast<int64_t>(kernels::CodeLayout(static_cast<size_t>(store_.config().descriptor_dim)).stride);
  const auto segments = segments_->segments();
  for (const auto& segment : *segments) {
    for (const ChunkFileInfo& chunk : segment->sealed_chunks()) {
      bytes->codes += chunk.rows * stride;
      bytes->descriptors += static_cast<int64_t>(chunk.bytes) - chunk.rows * stride;
    }
  }
  bytes->graph += upkeep_->links_bytes();
}

int64_t Engine::live() const {
  int64_t images = 0;
  const auto segments = segments_->segments();
  for (const auto& segment : *segments) images += segment->live();
  return images;
}

int64_t Engine::SearchCost() const {
  int64_t cost = 0;
  const auto segments = segments_->segments();
  for (const auto& segment : *segments) {
    const bool graph = segment->linked_rows() > 0 && policy_.UseLinks(segment->live());
    const int64_t compared = graph ? kRowsOfGraphSearch + segment->rows() - segment->linked_rows() : segment->rows();
    cost += compared * store_.config().descriptor_dim;
  }
  return cost;
}

}  // namespace sightline::index
