// Collection: a durable, searchable set of image records of one embedding space.
//
// This is an interface: the local implementation lives behind Database (database.h); something larger may stand behind
// it one day.
//
// Threading: all methods may be called from any thread. Searches never wait for writes.
// Ownership: plain values in and out. A Collection is held by shared_ptr; after Database::Delete, methods answer
// NOT_FOUND. Failure: Status. A write that returns OK survives kill -9 and power loss and is found by every search that
// starts afterwards; a write that fails has left nothing.
#ifndef SIGHTLINE_INDEX_COLLECTION_H_
#define SIGHTLINE_INDEX_COLLECTION_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "index/record.h"
#include "index/rerank/confidence.h"
#include "index/rerank/transport_options.h"

namespace sightline::index {

enum class IndexKind { kAuto, kExact, kHnsw, kIvf };
enum class DescriptorPrecision { kFloat32, kFloat16 };
enum class IndexDevice {
  kAuto,  // the database's card, where it has one and there is room
  kCpu,
};

// What a collection is, kept with it on disk. What SettingsChange names can be changed, the rest is fixed at creation.
struct CollectionConfig {
  std::string name;             // 1 to 64 of a-z 0-9 - _, starting with a letter or digit
  std::string model;            // empty: descriptors only
  std::string embedding_space;  // never empty
  std::string token_space;      // empty: no tokens are kept
  int descriptor_dim = 0;
  KeepImage keep_image = KeepImage::kPreview;
  IndexKind index_kind = IndexKind::kAuto;
  DescriptorPrecision descriptor_precision = DescriptorPrecision::kFloat32;
  bool drop_tokens = false;
  int hnsw_m = 0;                // 4 to 64; 0: 16
  int hnsw_ef_construction = 0;  // 16 to 1,000; 0: 200
  int ivf_lists = 0;             // 1 to 65,536; 0: the default
  IndexDevice device = IndexDevice::kAuto;
  std::string description;
  absl::Time create_time;  // set by Database::Create

  // Once keep_image has been changed: what it was at first, and what records may hold from before.
  std::optional<KeepImage> first_keep_image = {};
  bool had_previews = false;
  bool had_originals = false;

  friend bool operator==(const CollectionConfig&, const CollectionConfig&) = default;
};

// Whether records of the collection may hold such an image.
inline bool MayHold(const CollectionConfig& config, KeepImage kind) {
  return config.keep_image == kind || (kind == KeepImage::kPreview && config.had_previews) ||
         (kind == KeepImage::kOriginal && config.had_originals);
}

// What is to be different about a collection from now on; unset fields stay.
struct SettingsChange {
  std::optional<KeepImage> keep_image = {};
  std::optional<IndexKind> index_kind = {};
  std::optional<IndexDevice> device = {};
  std::optional<bool> drop_tokens = {};
  std::optional<std::string> description = {};
  // The space of tokens, for a collection that was created to keep none. Another one is refused.
  std::optional<std::string> token_space = {};
};

struct LayerBytes {
  int64_t descriptors = 0, codes = 0, graph = 0, tokens = 0, attributes = 0, images = 0, log = 0;
  int64_t total() const { return descriptors + codes + graph + tokens + attributes + images + log; }
};

struct CollectionStats {
  int64_t images = 0;
  int64_t deleted_images = 0;  // space not reclaimed yet
  int64_t sequence = 0;        // of the last write
  LayerBytes memory;
  LayerBytes disk;
  std::string index_choice;  // "exact: 480 images are fewer than 20,000"
  int segments = 0;
  int64_t tail_images = 0;
  int64_t graph_backlog = 0;  // rows that a graph is to hold and does not yet; searches compare each of them
  int64_t card_images = 0;    // of sealed rows, dead ones too: those that a card compares
  int64_t card_bytes = 0;     // that they take of it
  int64_t card_scans = 0;     // comparisons with a segment that a card has done since the collection was opened
  bool read_only = false;
  std::string read_only_reason;
};

// One write. An empty record.id lets the collection generate one.
struct Write {
  Record record;
  std::string request_id;  // empty, or a name by which a repeat within 24 hours is known and not written again
  // The record is one of another space of the same collection: it keeps its revision and times. A later record under
  // its id stays, and the result says `replayed`.
  bool copy = false;
};

struct WriteResult {
  std::string id;
  int64_t revision = 0;
  bool replayed = false;  // request_id was known: this repeats the first result
};

enum class RecordView { kMetadata, kImage, kVectors };  // kImage and kVectors add to kMetadata

struct RecordPage {
  std::vector<Record> records;
  std::string next_page_token;  // empty on the last page
};

struct DeleteResult {
  int64_t deleted = 0;
  int64_t not_found = 0;
};

struct AttributeChange {
  Attributes set;
  std::vector<std::string> remove;
  bool replace = false;  // remove every attribute first
};

// How a search is refined by descriptors alone, before its results are cut to top_k (index/rerank).
struct Refinement {
  enum class Method {
    kOff,
    kAverage,        // query expansion: the mean of the query and its best results, then one more search
    kAlphaWeighted,  // the same, each result weighted by cosine^alpha
    kSuperGlobal,    // re-orders the best 400 by the SuperGlobal rule
    kReciprocal,     // re-orders the best 400 by k-reciprocal neighbourhoods
  };
  Method method = Method::kOff;
  int neighbours = 0;  // 0: the method's own default
  double alpha = 3;    // of kAlphaWeighted
};

struct SearchQuery {
  absl::Span<const float> descriptor;  // normalised by the collection; must outlive the call
  int top_k = 10;
  int offset = 0;                   // offset + top_k <= 10,000
  std::optional<double> min_score;  // on the cosine
  std::string filter;               // docs/filters.md; empty takes every image
  std::string group_by;             // an attribute's key; empty for no groups
  int group_size = 1;               // results of one value of group_by
  bool exact = false;               // compare every descriptor, whatever index there is
  std::optional<int> ef_search;     // search width of a graph, 1 to 10,000
  std::optional<int> nprobe;        // lists an inverted index looks into, 1 to 65,536
  Refinement refinement;
  // Asked now and then; true ends the search with CANCELLED.
  std::function<bool()> cancelled;
};

struct Hit {
  std::string id;
  double score = 0;                    // cosine with the query as it was sent
  std::optional<double> rerank_score;  // what ordered it, where a refinement did
  int rank_before_rerank = 0;          // from 1; 0 where only the refinement has found it
};

struct SearchOutcome {
  std::vector<Hit> hits;   // best first; ties in the order of writing
  int64_t images = 0;      // searchable when the search began
  int64_t matching = 0;    // of these, satisfying the filter; equal to images without one
  int64_t compared = 0;    // descriptors compared, in codes or in full precision
  int64_t card_scans = 0;  // segments whose rows a card has compared
  std::string index;       // "exact", "hnsw" or "ivf"
  // Why the answer is less than what was asked for, a sentence each.
  std::vector<std::string> degraded_reasons;
};

// One value of an attribute and how many images have it.
struct AttributeCount {
  AttributeValue value;
  int64_t images = 0;
};

struct AttributeCountPage {
  std::vector<AttributeCount> counts;  // most frequent first; equal ones by value
  std::string next_page_token;         // empty on the last page
};

// How long work goes. `report` is called now and then with units done and in all; false ends the work with CANCELLED.
using Progress = std::function<bool(int64_t done, int64_t total)>;

struct OptimizeOptions {
  // Database-side augmentation (METHODS.md section 7): every descriptor searched becomes the normalised alpha-weighted
  // sum of itself and its nearest neighbours. 0 keeps, or puts back, the descriptors as they were written.
  int augment_neighbours = 0;
  double augment_alpha = 3;
};

// How sure a match of this collection is, and how patches were compared when that was fitted.
struct FittedConfidence {
  rerank::ConfidenceFit fit;
  rerank::TransportOptions transport;
  absl::Time fit_time;
};

class Collection {
 public:
  virtual ~Collection() = default;

  // As it is now. What is returned lives as long as the collection and does not change: a later change makes another
  // one.
  virtual const CollectionConfig& config() const = 0;
  // Durable on OK, and in force for every write that begins afterwards; what was written stays as it is. Another kind
  // of index is built in the background, while searches use what there is; rows leave a card, or come to it, so too.
  virtual absl::Status ChangeSettings(const SettingsChange& change) = 0;
  virtual CollectionStats Stats() const = 0;

  // Blocks until the write is durable or refused. Concurrent writes share one sync.
  virtual absl::StatusOr<WriteResult> Put(Write write) = 0;

  // The same without blocking: `done` is called once, on a thread of the collection, and must return soon.
  virtual void PutAsync(Write write, std::function<void(absl::StatusOr<WriteResult>)> done) = 0;

  virtual absl::StatusOr<Record> Get(const std::string& id, RecordView view) const = 0;

  // The patch tokens of each id as they are at one moment, read together: nullopt where there is no such image or it
  // has none. DATA_LOSS names an image whose tokens are damaged.
  virtual absl::StatusOr<std::vector<std::optional<PatchTokens>>> ReadTokens(
      absl::Span<const std::string> ids) const = 0;

  // Those that satisfy `filter`, in the order of writing. `page_size` is 1 to 1,000; a page of more than 16 MiB ends
  // early.
  virtual absl::StatusOr<RecordPage> List(int page_size, const std::string& page_token, RecordView view,
                                          const std::string& filter) const = 0;

  // Durable, all or nothing.
  virtual absl::StatusOr<DeleteResult> Delete(absl::Span<const std::string> ids) = 0;

  // Every image that satisfies `filter` when the call begins. Durable, in batches: after a failure some may be left.
  virtual absl::StatusOr<DeleteResult> DeleteMatching(const std::string& filter) = 0;

  // The values of an attribute among the images that satisfy `filter`. `page_size` is 1 to 1,000.
  virtual absl::StatusOr<AttributeCountPage> CountValues(const std::string& key, const std::string& filter,
                                                         int page_size, const std::string& page_token) const = 0;

  // Durable. Keeps the place in List. Returns the record as it stands now, without image and vectors.
  virtual absl::StatusOr<Record> UpdateAttributes(const std::string& id, const AttributeChange& change) = 0;

  virtual absl::StatusOr<SearchOutcome> Search(const SearchQuery& query) const = 0;

  // Seals the tail, rebuilds segments with dead rows, and finishes every graph; returns when it is done.
  virtual absl::Status Optimize(const OptimizeOptions& options, const Progress& progress) = 0;

  // nullopt until one is set. Belongs to the embedding space: after a re-embedding there is none.
  virtual std::optional<FittedConfidence> Confidence() const = 0;
  // Durable.
  virtual absl::Status SetConfidence(const FittedConfidence& confidence) = 0;

  // Multiply-adds that a search would take now: lets the server run small ones where they arrive.
  virtual int64_t SearchCost() const = 0;
};

// Whether a record may be stored at all, apart from its descriptor's size: id, attributes, URI, tokens' shape, finite
// and non-zero numbers. An empty id is fine when `allow_empty_id`, and so is a descriptor that is not there yet, so
// that a server can refuse a bad record before its model has worked for it.
absl::Status ValidateRecord(const Record& record, const RecordLimits& limits, bool allow_empty_id);

// Whether `name` may name a collection.
absl::Status ValidateCollectionName(const std::string& name);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_COLLECTION_H_
