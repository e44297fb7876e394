// Ivf: inverted lists over the int8 codes of a CodeTable, which grow while they are searched.
//
// A list holds the numbers of the rows nearest to its centroid (coarse_quantizer.h), in the order of insertion; a
// search compares the rows of the lists whose centroids are nearest to the query. faiss::IndexIVF is not used: its
// lists would hold the codes a second time, move them when they grow, and lock readers out meanwhile. FAISS gives the
// k-means.
//
// Numbers lie in blocks that never move. The one inserting thread fills them and then publishes the list's length,
// which is all that readers go by; they take no lock.
//
// With a filter, `nprobe` lists may hold few rows that pass, and the nearest of these lie further apart than the
// nearest of all. The search therefore goes on to the next lists until it has compared as many rows as the nprobe
// nearest lists hold, so that recall stays what it is without a filter; a very selective filter makes it exact.
//
// Threading: Insert from one thread at a time; Search from any number of threads meanwhile. The codes of a row are
// written before Insert is called with it. What was inserted before a search began is there for it;
// what comes in meanwhile may be, and `accept` decides about it.
// Ownership: refers to the codes, which outlive it; shares the quantiser; owns its lists.
// Failure: Create refuses a quantiser that is missing or of another dimension; Load refuses damaged bytes; nothing else
// fails but memory exhaustion, which ends the process.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Ivf> ivf, Ivf::Create(codes, quantizer));
//   ivf->Insert(0, rows);
//   const kernels::Int8Query query(codes.layout(), descriptor.data());
//   Ivf::Result found = ivf->Search({.query = &query, .k = 100, .nprobe = 32, .accept = alive});
#ifndef SIGHTLINE_INDEX_ANN_IVF_H_
#define SIGHTLINE_INDEX_ANN_IVF_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "index/ann/coarse_quantizer.h"
#include "index/ann/code_table.h"
#include "index/ann/row_bits.h"
#include "index/ann/top_k.h"
#include "index/kernels/int8_code.h"

namespace sightline::index {

class Ivf {
 public:
  struct Request {
    const kernels::Int8Query* query = nullptr;
    size_t k = 0;
    size_t nprobe = 0;                // lists to look into; 0: the default for their number
    const RowBits* filter = nullptr;  // rows that may be returned; all where null
    // Whether a row that passes the filter is visible. Asked only about rows that would enter the result.
    absl::FunctionRef<bool(uint32_t)> accept;
    const std::function<bool()>* cancelled = nullptr;  // asked about every 0.1 ms; may be null or empty
    // Scores of rows by other means than the CodeTable's codes, into `out`: product codes (pq_codes.h) where memory is
    // short. The table may then be empty. Null: by the codes.
    const std::function<void(absl::Span<const uint32_t> rows, float* out)>* scores = nullptr;
  };

  struct Result {
    std::vector<ScoredRow> best;  // by these scores, best first; ties by row; up to k
    int64_t compared = 0;         // rows
    size_t probed = 0;            // lists
    bool cancelled = false;
  };

  using Sink = absl::FunctionRef<absl::Status(absl::string_view)>;

  static absl::StatusOr<std::unique_ptr<Ivf>> Create(const CodeTable& codes,
                                                     std::shared_ptr<const CoarseQuantizer> quantizer);
  ~Ivf();
  Ivf(const Ivf&) = delete;
  Ivf& operator=(const Ivf&) = delete;

  // Each row once, in any order. Many rows at once share the reading of the centroids.
  void Insert(uint32_t row) { Insert(row, row + 1); }
  void Insert(uint32_t begin, uint32_t end);
  // A row whose code is not in the CodeTable.
  void Insert(uint32_t row, const uint8_t* code);
  Result Search(const Request& request) const;

  // Writes the lists of rows [0, rows), all of which were inserted before; inserts beyond may go on.
  absl::Status Save(uint32_t rows, Sink sink) const;
  // The lists that Save wrote, over the same codes and quantiser. The caller has verified the bytes' checksum; every
  // number is checked all the same, before memory is taken for it, and DATA_LOSS says which is wrong.
  static absl::StatusOr<std::unique_ptr<Ivf>> Load(const CodeTable& codes,
                                                   std::shared_ptr<const CoarseQuantizer> quantizer,
                                                   absl::string_view bytes);

  uint32_t size() const { return size_.load(std::memory_order_acquire); }  // rows inserted
  // Of the lists; the quantiser, which segments share, counts its own.
  int64_t memory_bytes() const { return memory_bytes_.load(std::memory_order_relaxed); }
  const CoarseQuantizer& quantizer() const { return *quantizer_; }

 private:
  struct Block {
    explicit Block(uint32_t rows_in) : capacity(rows_in), rows(std::make_unique<uint32_t[]>(rows_in)) {}

    const uint32_t capacity;
    const std::unique_ptr<uint32_t[]> rows;
    std::unique_ptr<Block> next;  // read only where the list's length says that it is there
  };

  struct List {
    std::atomic<uint32_t> size = 0;  // published: every row below, and the blocks they stand in, are complete
    std::unique_ptr<Block> first;
    Block* last = nullptr;   // the inserting thread's own
    uint32_t capacity = 0;   // likewise
    uint32_t last_size = 0;  // likewise: rows in `last`
  };

  class Scan;

  Ivf(const CodeTable& codes, std::shared_ptr<const CoarseQuantizer> quantizer);
  // The first `size` rows of the list, block by block, until `visit` returns false.
  template <class Visit>
  static void ForEachBlock(const List& list, uint32_t size, const Visit& visit);
  void Publish(uint32_t row, uint32_t list);
  void Append(List& list, uint32_t row);
  void Grow(List& list, uint32_t rows);

  const CodeTable& codes_;
  const std::shared_ptr<const CoarseQuantizer> quantizer_;
  std::vector<List> lists_;
  std::atomic<uint32_t> size_ = 0;
  std::atomic<int64_t> memory_bytes_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_IVF_H_
