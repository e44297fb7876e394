#include "index/ann/ivf.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/ann/little_endian.h"

namespace sightline::index {
namespace {

// Rows whose codes are compared in one call of the kernel.
constexpr size_t kScanBatch = 32;
// Rows compared, or looked up in the filter, between two questions whether the search is cancelled: about 0.1 ms.
constexpr size_t kRowsPerQuestion = 1024;
constexpr size_t kLookupsPerQuestion = 65'536;
constexpr uint32_t kFirstBlockRows = 16;
constexpr size_t kRowsPerAssign = 256;

// The bytes: u32 lists, u32 rows, then for every row the u16 number of its list.
constexpr size_t kIvfHeader = 8;
constexpr size_t kBytesPerRow = 2;
constexpr uint32_t kNoList = CoarseQuantizer::kMaxLists;

absl::Status DamagedLists(absl::string_view what) {
  return base::Error(
      absl::StatusCode::kDataLoss, "IVF_DAMAGED",
      absl::StrCat("the inverted lists' bytes are damaged: ", what, ". Build them again from the codes."));
}

}  // namespace

// A list of no rows may be getting its first block at this moment: it is not to be looked at.
template <class Visit>
void Ivf::ForEachBlock(const List& list, uint32_t size, const Visit& visit) {
  const Block* block = nullptr;
  while (size > 0) {
    block = block == nullptr ? list.first.get() : block->next.get();
    const uint32_t rows = std::min(size, block->capacity);
    if (!visit(absl::MakeConstSpan(block->rows.get(), rows))) return;
    size -= rows;
  }
}

// One search: gathers rows that pass, compares them in batches, and keeps the best.
class Ivf::Scan {
 public:
  Scan(const CodeTable& codes, const Request& request) : codes_(codes), request_(request) {}

  // The first `size` rows of the list.
  void Add(const List& list, uint32_t size) {
    ForEachBlock(list, size, [this](absl::Span<const uint32_t> rows) {
      for (const uint32_t row : rows) {
        if (request_.filter != nullptr && !request_.filter->Contains(row)) continue;
        rows_[pending_] = row;
        if (++pending_ == kScanBatch) Flush();
      }
      looked_up_ += rows.size();
      AskWhetherCancelled();
      return !result_.cancelled;
    });
    ++result_.probed;
  }

  bool cancelled() const { return result_.cancelled; }
  int64_t compared() const { return result_.compared + static_cast<int64_t>(pending_); }

  Result Finish() && {
    Flush();
    std::sort_heap(result_.best.begin(), result_.best.end(), Better);
    return std::move(result_);
  }

 private:
  void Flush() {
    if (request_.scores != nullptr) {
      (*request_.scores)(absl::MakeConstSpan(rows_.data(), pending_), scores_.data());
    } else {
      for (size_t i = 0; i < pending_; ++i) pointers_[i] = codes_.Row(rows_[i]);
      kernels::Int8ScoresAt(*request_.query, pointers_.data(), pending_, scores_.data());
    }
    for (size_t i = 0; i < pending_; ++i) Keep({scores_[i], rows_[i]});
    result_.compared += static_cast<int64_t>(pending_);
    pending_ = 0;
  }

  // TopK takes rows in ascending order; here they come list by list.
  void Keep(const ScoredRow& scored) {
    std::vector<ScoredRow>& best = result_.best;
    const bool full = best.size() == request_.k;
    if (request_.k == 0 || (full && !Better(scored, best.front()))) return;
    if (!request_.accept(static_cast<uint32_t>(scored.row))) return;
    if (full) {
      std::pop_heap(best.begin(), best.end(), Better);
      best.back() = scored;
    } else {
      best.push_back(scored);
    }
    std::push_heap(best.begin(), best.end(), Better);
  }

  void AskWhetherCancelled() {
    const size_t work = static_cast<size_t>(compared()) * (kLookupsPerQuestion / kRowsPerQuestion) + looked_up_;
    if (work < next_question_) return;
    next_question_ = work + kLookupsPerQuestion;
    result_.cancelled = request_.cancelled != nullptr && *request_.cancelled && (*request_.cancelled)();
  }

  const CodeTable& codes_;
  const Request& request_;
  Result result_;
  size_t pending_ = 0;
  size_t looked_up_ = 0;
  size_t next_question_ = 0;
  std::array<uint32_t, kScanBatch> rows_;
  std::array<const uint8_t*, kScanBatch> pointers_;
  std::array<float, kScanBatch> scores_;
};

absl::StatusOr<std::unique_ptr<Ivf>> Ivf::Create(const CodeTable& codes,
                                                 std::shared_ptr<const CoarseQuantizer> quantizer) {
  if (quantizer == nullptr) {
    return base::FailedPrecondition("IVF_UNTRAINED",
                                    "the collection's inverted lists have no centroids yet. Train them first.");
  }
  if (quantizer->dim() != codes.layout().dim) {
    return base::InvalidArgument("IVF_DIMENSION_MISMATCH",
                                 absl::StrCat("the centroids have ", quantizer->dim(), " values and the codes ",
                                              codes.layout().dim, ". Use the centroids of this collection."));
  }
  return std::unique_ptr<Ivf>(new Ivf(codes, std::move(quantizer)));
}

Ivf::Ivf(const CodeTable& codes, std::shared_ptr<const CoarseQuantizer> quantizer)
    : codes_(codes),
      quantizer_(std::move(quantizer)),
      lists_(quantizer_->lists()),
      memory_bytes_(static_cast<int64_t>(lists_.size() * sizeof(List))) {}

Ivf::~Ivf() = default;

void Ivf::Insert(uint32_t begin, uint32_t end) {
  std::vector<const uint8_t*> rows;
  std::vector<uint32_t> lists;
  for (uint32_t first = begin; first < end; first += static_cast<uint32_t>(rows.size())) {
    rows.resize(std::min<size_t>(kRowsPerAssign, end - first));
    lists.resize(rows.size());
    for (uint32_t i = 0; i < rows.size(); ++i) rows[i] = codes_.Row(first + i);
    quantizer_->Assign(rows, lists.data());
    for (uint32_t i = 0; i < rows.size(); ++i) Publish(first + i, lists[i]);
  }
}

void Ivf::Insert(uint32_t row, const uint8_t* code) {
  uint32_t list = 0;
  quantizer_->Assign(absl::MakeConstSpan(&code, 1), &list);
  Publish(row, list);
}

void Ivf::Publish(uint32_t row, uint32_t list) {
  Append(lists_[list], row);
  size_.store(size_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

void Ivf::Append(List& list, uint32_t row) {
  const uint32_t size = list.size.load(std::memory_order_relaxed);
  // As many again as there are: the blocks of a list are few, and at most half of their room is unused.
  if (size == list.capacity) Grow(list, std::max(kFirstBlockRows, size));
  list.last->rows[list.last_size++] = row;
  list.size.store(size + 1, std::memory_order_release);
}

void Ivf::Grow(List& list, uint32_t rows) {
  auto block = std::make_unique<Block>(rows);
  Block* const last = block.get();
  (list.last == nullptr ? list.first : list.last->next) = std::move(block);
  list.last = last;
  list.last_size = 0;
  list.capacity += rows;
  memory_bytes_.fetch_add(static_cast<int64_t>(sizeof(Block) + rows * sizeof(uint32_t)), std::memory_order_relaxed);
}

Ivf::Result Ivf::Search(const Request& request) const {
  const size_t nprobe =
      request.nprobe != 0 ? std::min(request.nprobe, lists_.size()) : CoarseQuantizer::DefaultNprobe(lists_.size());
  // A filter may lead to any list; without one the order of the nearest is enough.
  const std::vector<uint32_t> order =
      quantizer_->Nearest(*request.query, request.filter != nullptr ? lists_.size() : nprobe);
  Scan scan(codes_, request);
  int64_t enough = 0;
  for (size_t i = 0; i < order.size() && !scan.cancelled(); ++i) {
    if (i >= nprobe && scan.compared() >= enough) break;
    const List& list = lists_[order[i]];
    const uint32_t size = list.size.load(std::memory_order_acquire);
    if (i < nprobe) enough += size;
    scan.Add(list, size);
  }
  return std::move(scan).Finish();
}

absl::Status Ivf::Save(uint32_t rows, Sink sink) const {
  std::vector<uint32_t> list_of(rows, kNoList);
  for (uint32_t l = 0; l < lists_.size(); ++l) {
    const uint32_t size = lists_[l].size.load(std::memory_order_acquire);
    ForEachBlock(lists_[l], size, [&](absl::Span<const uint32_t> block) {
      for (const uint32_t row : block) {
        if (row < rows) list_of[row] = l;
      }
      return true;
    });
  }
  const auto missing = std::find(list_of.begin(), list_of.end(), kNoList);
  if (missing != list_of.end()) {
    return base::FailedPrecondition("IVF_INCOMPLETE",
                                    absl::StrCat("row ", missing - list_of.begin(), " of the ", rows,
                                                 " to be saved is in no inverted list. Insert it first."));
  }
  std::string out;
  out.reserve(kIvfHeader + kBytesPerRow * rows);
  little_endian::AppendU32(out, static_cast<uint32_t>(lists_.size()));
  little_endian::AppendU32(out, rows);
  for (const uint32_t list : list_of) little_endian::AppendU16(out, static_cast<uint16_t>(list));
  return sink(out);
}

absl::StatusOr<std::unique_ptr<Ivf>> Ivf::Load(const CodeTable& codes, std::shared_ptr<const CoarseQuantizer> quantizer,
                                               absl::string_view bytes) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Ivf> ivf, Create(codes, std::move(quantizer)));
  if (bytes.size() < kIvfHeader) {
    return DamagedLists(absl::StrCat("there are ", bytes.size(), ", less than the header's ", kIvfHeader));
  }
  const uint32_t lists = little_endian::LoadU32(bytes.data());
  const uint32_t rows = little_endian::LoadU32(bytes.data() + 4);
  if (lists != ivf->lists_.size()) {
    return DamagedLists(absl::StrCat("they declare ", lists, " lists, and there are ", ivf->lists_.size()));
  }
  bytes.remove_prefix(kIvfHeader);
  if (rows > codes.max_rows() || bytes.size() != kBytesPerRow * rows) {
    return DamagedLists(absl::StrCat("they declare ", rows, " rows, with room for ", codes.max_rows(), " and ",
                                     bytes.size(), " bytes left"));
  }
  std::vector<uint32_t> sizes(lists);
  for (uint32_t row = 0; row < rows; ++row) {
    const uint32_t list = little_endian::LoadU16(bytes.data() + kBytesPerRow * row);
    if (list >= lists) return DamagedLists(absl::StrCat("row ", row, " is in list ", list, " of ", lists));
    ++sizes[list];
  }
  for (uint32_t list = 0; list < lists; ++list) {
    if (sizes[list] > 0) ivf->Grow(ivf->lists_[list], sizes[list]);
  }
  for (uint32_t row = 0; row < rows; ++row) {
    ivf->Append(ivf->lists_[little_endian::LoadU16(bytes.data() + kBytesPerRow * row)], row);
  }
  ivf->size_.store(rows, std::memory_order_release);
  return ivf;
}

}  // namespace sightline::index
