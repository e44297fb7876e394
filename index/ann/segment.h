// Segment: a block of rows that searches work on: codes in memory, descriptors in full precision, attributes, and links
// (a graph or inverted lists) that grow in the background.
//
// Rows are appended in the order of writing and never move; they come in chunks of `chunk_rows`. A full chunk is sealed
// into a file, after which its descriptors are read from there. A search takes the number of rows it sees and a clock
// (segment_list.h) before it begins, so that rows appended, replaced or deleted meanwhile change nothing for it.
//
// Threading: the writer's methods on one thread at a time, those of upkeep likewise; everything else on any thread,
// also meanwhile, without waiting for either. Ownership: owns its rows; shared by those who search it. Failure: Status.
// A descriptor that its file no longer holds intact is asked of the store; the first time is named in the log.
//
//   Segment segment(shape, [&store](uint64_t key) { return store.ReadDescriptor(key); });
//   segment.Append({.key = 7, .id = "a", .descriptor = a.data()});
//   segment.Publish();
//   SegmentResult found = segment.Search({.query = q.data(), .k = 10, .rows = segment.rows(), .clock = clock});
#ifndef SIGHTLINE_INDEX_ANN_SEGMENT_H_
#define SIGHTLINE_INDEX_ANN_SEGMENT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/mutex.h"
#include "index/ann/chunk_file.h"
#include "index/ann/code_table.h"
#include "index/ann/descriptor_chunk.h"
#include "index/ann/links.h"
#include "index/ann/row_table.h"
#include "index/ann/segment_query.h"
#include "index/filter/concurrent_attribute_index.h"
#include "index/filter/left_right.h"
#include "index/gpu/resident_lists.h"
#include "index/gpu/resident_rows.h"
#include "index/record.h"
#include "index/store/files.h"
#include "roaring/roaring.hh"

namespace sightline::index {

// The reason of the error that a file of links is of another kind of index than the segment.
inline constexpr char kLinksOfOtherKind[] = "LINKS_OF_OTHER_KIND";

struct SegmentShape {
  ChunkShape chunk;
  uint32_t chunk_rows = 32'768;
  uint32_t max_rows = 1'048'576;  // a multiple of chunk_rows
  bool inverted = false;          // linked by inverted lists, not by a graph
  bool map_codes = false;         // codes of sealed chunks are read from their files, whatever searches go by
  Graph::Options graph;
  std::shared_ptr<gpu::RowDevice> card;         // compares sealed rows; null: none
  std::shared_ptr<gpu::ListDevice> card_lists;  // searches the lists of an inverted segment; null: none
};

// Reads a descriptor from the store, which has the truth; NOT_FOUND when its record is gone.
using ReadTruth = std::function<absl::StatusOr<std::vector<float>>(uint64_t key)>;

class Segment {
 public:
  struct Row {
    uint64_t key = 0;  // greater than every key before
    std::string id;
    const float* descriptor = nullptr;  // dim values, L2-normalised
    const Attributes* attributes = nullptr;
  };

  Segment(const SegmentShape& shape, ReadTruth truth, bool augmented = false);
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;

  // ---- The writer's

  // Not seen before Publish. There must be room (full()).
  void Append(Row row);
  void Publish();
  // False when `key` is not here.
  bool Kill(uint64_t key, uint64_t clock);
  bool SetAttributes(uint64_t key, const Attributes& attributes);
  // The next row begins a new chunk.
  void CloseChunk();

  // Whether there is no room for another row: it must not be appended.
  bool full() const { return next_row_ >= shape_.max_rows; }
  // Rows appended so far, and those of them that are not published.
  uint32_t next_row() const { return next_row_; }
  uint32_t pending_rows() const { return next_row_ - rows_.load(std::memory_order_relaxed); }

  // While the collection is opened: takes a sealed chunk's rows, all of them dead, and brings back those alive.
  absl::Status AddChunk(std::unique_ptr<ChunkFile> file, const ChunkFileInfo& info);
  bool Revive(uint64_t key, const std::string& id, const Attributes& attributes);
  // If the last chunk is not full, it grows again; when its file cannot be read to the end, a new chunk will.
  void ReopenLastChunk();
  // Publishes, when every row that lives has been revived or appended.
  void FinishLoading();

  // ---- Reading

  // Rows that are published; some may be dead.
  uint32_t rows() const { return rows_.load(std::memory_order_acquire); }
  int64_t live() const { return live_.load(std::memory_order_relaxed); }
  uint64_t first_key() const { return rows() == 0 ? 0 : row_table_.Key(0); }
  uint64_t last_key() const { return rows() == 0 ? 0 : row_table_.Key(rows() - 1); }
  const RowTable& row_table() const { return row_table_; }
  const CodeTable& codes() const { return codes_; }
  const ConcurrentAttributeIndex& attributes() const { return attributes_; }
  // Takes the dead out of a set of rows.
  void RemoveDead(Roaring* rows) const;
  // How many of a set of rows are alive.
  int64_t CountAlive(const Roaring& rows) const;
  const SegmentShape& shape() const { return shape_; }
  bool augmented() const { return augmented_; }

  SegmentResult Search(const SegmentQuery& query) const;

  // The dim values of a published row.
  absl::Status Read(uint32_t row, float* out) const;
  void Prefetch(uint32_t row) const;

  // ---- Upkeep

  uint32_t unsealed_rows() const;
  uint32_t linked_rows() const { return linked_.load(std::memory_order_acquire); }
  // Inverted lists need one before they can link anything. Once, before any row is linked.
  absl::Status SetQuantizers(const Quantizers& quantizers);
  // Links published rows, up to `most`, with the help of `pool` (may be null). False when none was left, or none can
  // be.
  bool GrowLinks(uint32_t most, base::ThreadPool* pool);
  // The first chunk that is full, or closed, and not sealed; also the last one when it has new rows with keys up to
  // `partial_until`.
  std::optional<uint32_t> ChunkToSeal(uint64_t partial_until) const;
  absl::StatusOr<ChunkFileInfo> WriteChunk(uint32_t chunk, const Files& files, const std::string& path) const;
  std::optional<ChunkFileInfo> chunk_file(uint32_t chunk) const;
  void SetChunkFile(uint32_t chunk, const std::optional<ChunkFileInfo>& info);
  // From now on the chunk's descriptors are read from its file, unless it is still growing.
  absl::Status ReadFromFile(uint32_t chunk, const Files& files, const std::string& path);
  // Where searches go by product codes, or memory is short: lets the int8 codes of sealed chunks be read from their
  // files in `folder`.
  void MapSealedCodes(const std::string& folder);
  std::vector<ChunkFileInfo> sealed_chunks() const;
  // Rows before the first one that no file holds.
  uint32_t sealed_rows() const;

  // Moves rows to the card, up to `most`: sealed ones, or where the card has lists, those that are linked. False when
  // none was left, or none can be.
  bool MoveToCard(uint32_t most);
  // Takes them all off it. False when there were none.
  bool LeaveCard();
  gpu::RowsOnCard on_card() const;

  // Writes the links of the first `rows` rows durably and completes `info`.
  absl::Status SaveLinks(uint32_t rows, const Files& files, const std::string& path, LinksFileInfo* info) const;
  // Before anyone searches.
  absl::Status LoadLinks(const Files& files, const std::string& path, const LinksFileInfo& info);

  LayerBytes memory() const;

 private:
  struct Chunk {
    std::shared_ptr<const DescriptorChunk> descriptors;
    std::shared_ptr<const MemoryDescriptors> memory;  // the same, while they are in memory
    uint32_t rows = 0;                                // published
    bool closed = false;                              // takes no more rows
    bool mapped = false;                              // its codes are read from the file
    std::optional<ChunkFileInfo> file;
  };
  class Source;

  void BeginChunk();
  void ApplyAttributeChanges();
  void ApplyDeaths();
  std::shared_ptr<const DescriptorChunk> Descriptors(uint32_t chunk) const;
  // Compares the query with the rows from `first` on, or with those of them that satisfy the filter; all of them on the
  // card where that has them.
  void CompareRows(const SegmentQuery& query, uint32_t first, SegmentResult* result) const;
  std::vector<ScoredRow> Rescore(const SegmentQuery& query, const kernels::Int8Query& code,
                                 absl::Span<const ScoredRow> candidates, SegmentResult* result) const;
  // Leaves `used` null when comparing costs less.
  void SearchLinks(const SegmentQuery& query, SegmentResult* result) const;
  // By the lists on the card; false where these cannot.
  bool SearchCardLists(const SegmentQuery& query, const kernels::Int8Query& code, SegmentResult* result) const;
  // The best of the candidates before row `end`, in full precision, and of all rows from there on.
  void Finish(const SegmentQuery& query, const kernels::Int8Query& code, absl::Span<const ScoredRow> candidates,
              uint32_t end, SegmentResult* result) const;

  const SegmentShape shape_;
  const ReadTruth truth_;
  const bool augmented_;
  RowTable row_table_;
  CodeTable codes_;
  ConcurrentAttributeIndex attributes_;  // of the dead rows too, because a search may still see them
  LeftRight<Roaring> dead_;              // for counting
  Quantizers quantizers_;
  std::unique_ptr<Links> links_;  // null while inverted lists have no quantiser; set before linked_ is
  // One of them with a card, neither without.
  const std::unique_ptr<gpu::ResidentRows> resident_rows_;
  const std::unique_ptr<gpu::ResidentLists> resident_lists_;
  std::atomic<uint32_t> rows_ = 0;
  std::atomic<uint32_t> linked_ = 0;  // rows [0, linked_) are in links_
  std::atomic<int64_t> live_ = 0;
  mutable std::atomic<bool> damaged_ = false;

  // The writer's.
  uint32_t next_row_ = 0;
  uint64_t last_key_appended_ = 0;
  MemoryDescriptors* growing_ = nullptr;  // the last chunk's, which owns it; null when that takes no more rows
  std::vector<std::pair<uint32_t, Attributes>> attribute_changes_;
  std::vector<uint32_t> deaths_;

  mutable base::Mutex mutex_;  // held for copying pointers and numbers
  std::vector<Chunk> chunks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_SEGMENT_H_
