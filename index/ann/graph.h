// Graph: a hierarchical navigable small world (Malkov and Yashunin, 2018) over the int8 codes of a CodeTable, which
// grows while it is searched.
//
// A node's links are a list of fixed size in memory that never moves, its unused end zero. Readers take no lock: a list
// that is being rewritten shows them a mixture of old and new links, every one of which leads to a complete node,
// because a node's own lists are written before any link to it. Writers lock one node at a time, by a byte.
// A row whose codes equal a lower node's does not become a node: it hangs on the node in a chain. A thousand equal rows
// would otherwise link only to each other, or push each other out of every list, and be lost to searches. A row's level
// follows from the row's number alone, so every build has the same levels.
//
// Threading: Insert and Search from any number of threads at once. The codes of a row are written before Insert is
// called with it, and happen before. What was inserted before a search began is found by it.
// Ownership: refers to the codes, which outlive it; owns its links, taken chunk by chunk in huge pages.
// Failure: Load refuses damaged bytes; nothing else fails but memory exhaustion, which ends the process.
//
//   Graph graph(codes, {.m = 16, .ef_construction = 200});
//   for (uint32_t row = 0; row < rows; ++row) graph.Insert(row);
//   const kernels::Int8Query query(codes.layout(), descriptor.data());
//   Graph::Result found = graph.Search({.query = &query, .k = 20, .ef = 100, .accept = alive});
#ifndef SIGHTLINE_INDEX_ANN_GRAPH_H_
#define SIGHTLINE_INDEX_ANN_GRAPH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "index/ann/code_table.h"
#include "index/ann/graph_scratch.h"
#include "index/ann/row_bits.h"
#include "index/ann/top_k.h"
#include "index/kernels/int8_code.h"

namespace sightline::index {

struct GraphReader;

class Graph {
 public:
  static constexpr int kMinM = 2;
  static constexpr int kMaxM = 64;

  struct Options {
    int m = 16;                 // links of a node on the levels above the lowest, which has twice as many; 2 to 64
    int ef_construction = 200;  // rows a node's links are chosen from
  };

  struct Request {
    const kernels::Int8Query* query = nullptr;
    size_t k = 0;
    size_t ef = 0;                    // rows kept while searching: recall against time; at least k is used
    const RowBits* filter = nullptr;  // rows that may be returned; all where null
    double filter_width = 1.3;        // with a filter, so many times `ef` rows are kept (filter_plan.h)
    // Whether a row that passes the filter is visible. Asked only about rows that would enter the result; rows that
    // are not visible lead the search on but are not returned.
    absl::FunctionRef<bool(uint32_t)> accept;
    const std::function<bool()>* cancelled = nullptr;  // asked about every 0.1 ms; may be null or empty
    // The search gives up beyond so many comparisons: few visible rows are near, and comparing with every row that
    // passes is cheaper.
    int64_t max_compared = std::numeric_limits<int64_t>::max();
  };

  struct Result {
    std::vector<ScoredRow> best;  // by the score of the codes, best first; ties by row; up to k
    int64_t compared = 0;
    bool cancelled = false;
    bool gave_up = false;  // max_compared was reached: `best` is what was found until then
  };

  using Sink = absl::FunctionRef<absl::Status(absl::string_view)>;

  Graph(const CodeTable& codes, Options options);
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // Each row once. Rows may come in any order and from many threads.
  void Insert(uint32_t row);
  Result Search(const Request& request) const;

  // Writes the links among rows [0, rows), all of which were inserted before; inserts beyond may go on, and links to
  // them are left out: a file written when the graph is no larger loses nothing.
  absl::Status Save(uint32_t rows, Sink sink) const;
  // Whether bytes are what Save wrote at all, and not other links.
  static bool IsSaved(absl::string_view bytes);
  // The graph that Save wrote, over the same codes. The caller has verified the bytes' checksum; every number is
  // checked all the same, and DATA_LOSS says which is wrong. The file decides `m`.
  static absl::StatusOr<std::unique_ptr<Graph>> Load(const CodeTable& codes, Options options, absl::string_view bytes);

  uint32_t size() const { return size_.load(std::memory_order_acquire); }  // rows inserted
  int64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }
  const Options& options() const { return options_; }

 private:
  // The lists hold row + 1, so that fresh memory reads as empty lists.
  static constexpr uint32_t kEnd = 0;
  static constexpr int kMaxLevel = 12;

  // 12 bytes a row beside its links.
  struct Node {
    uint32_t next_equal;  // row + 1 of the next row with the same codes, or kEnd
    uint32_t upper_at;    // the list of level 1 in Chunk::upper; the higher levels follow
    uint8_t lock;
    uint8_t level;
  };

  struct Unmap {
    void operator()(uint8_t* memory) const;
    size_t bytes;
  };

  struct Chunk {
    std::unique_ptr<uint8_t, Unmap> memory;
    uint32_t* links = nullptr;  // 2 m a row
    Node* nodes = nullptr;
    uint32_t* upper = nullptr;  // m a row and level
  };

  struct Entry {
    uint32_t row = 0;
    int level = -1;  // -1: the graph is empty
  };

  class NodeLock;

  static int LevelOf(uint32_t row, int m);
  std::unique_ptr<Chunk> MakeChunk(uint32_t index) const;
  Chunk& EnsureChunk(uint32_t row);
  const Chunk& ChunkOf(uint32_t row) const { return *chunks_[row >> shift_].load(std::memory_order_acquire); }
  Node& NodeOf(uint32_t row) const { return ChunkOf(row).nodes[row & mask_]; }
  size_t ListSize(int level) const { return level == 0 ? 2 * m_ : m_; }
  // ListSize(level) links, each read and written atomically.
  uint32_t* Links(int level, uint32_t row) const;
  std::vector<uint32_t> ReadLinks(int level, uint32_t row) const;

  Entry entry() const;
  void RaiseEntry(uint32_t row, int level);
  void Connect(int level, uint32_t row, uint32_t to, GraphScratch& scratch);
  void KeepDiverse(size_t limit, GraphScratch& scratch) const;
  bool HangOnEqual(uint32_t row, GraphScratch& scratch);
  absl::Status LoadRow(uint32_t row, uint32_t rows, GraphReader& reader, std::vector<bool>& hangs);

  // graph_search.cc
  void Score(const kernels::Int8Query& query, GraphScratch& scratch) const;
  GraphScored Descend(const kernels::Int8Query& query, const Entry& from, int to_level, GraphScratch& scratch) const;
  // Leaves the best `ef` rows of the level in scratch.best.
  void SearchLevel(const kernels::Int8Query& query, int level, size_t ef, GraphScored start,
                   GraphScratch& scratch) const;
  template <class Visible>
  static void Offer(GraphScored scored, const Visible& visible, GraphScratch& scratch);
  template <class Gatherer, class Visible>
  bool Beam(const kernels::Int8Query& query, int level, const Request* request, const Gatherer& gather,
            const Visible& visible, GraphScratch& scratch) const;
  void Gather(int level, uint32_t row, GraphScratch& scratch) const;
  template <class Passes>
  void GatherPassing(uint32_t row, const Passes& passes, size_t& guides_left, GraphScratch& scratch) const;
  template <class Passes>
  void SeedPassing(const RowBits& filter, const Passes& passes, GraphScratch& scratch) const;
  // Whether the row was inserted and has links of its own.
  bool IsNode(uint32_t row) const;
  template <class Passes>
  bool AnyOfEquals(uint32_t row, const Passes& passes) const;

  const CodeTable& codes_;
  const Options options_;
  const size_t m_;
  const int shift_;
  const uint32_t mask_;
  std::vector<std::atomic<Chunk*>> chunks_;
  std::atomic<uint64_t> entry_ = 0;  // level + 1 above, row below; 0: empty
  std::atomic<uint32_t> size_ = 0;
  std::atomic<uint32_t> equals_ = 0;  // rows that hang on others
  std::atomic<int64_t> memory_bytes_ = 0;
  base::Mutex mutex_;
  std::vector<std::unique_ptr<Chunk>> owned_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_GRAPH_H_
