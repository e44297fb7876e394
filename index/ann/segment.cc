#include "index/ann/segment.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "index/ann/graph.h"
#include "index/store/codec.h"
#include "index/store/sealed_file.h"

namespace sightline::index {
namespace {

// Changes that wait for one write to the attribute index.
constexpr size_t kMaxAttributeChanges = 4096;

constexpr absl::string_view kLinksMagic = "SLLINKS\n";
// Far above what the largest graph takes, and lists with product codes of up to 8,192 values.
constexpr uint64_t kMaxLinksBytes = 1 << 20;
constexpr uint64_t kMaxLinksBytesPerRow = 2048;

}  // namespace

Segment::Segment(const SegmentShape& shape, ReadTruth truth, bool augmented)
    : shape_(shape),
      truth_(std::move(truth)),
      augmented_(augmented),
      row_table_(shape.max_rows),
      codes_(kernels::CodeLayout(shape.chunk.dim), shape.chunk_rows, shape.max_rows),
      dead_(Roaring()),
      links_(shape.inverted ? nullptr : MakeGraphLinks(codes_, shape.graph)),
      resident_rows_(shape.card == nullptr || shape.card_lists != nullptr
                         ? nullptr
                         : std::make_unique<gpu::ResidentRows>(shape.card, shape.chunk.dim, shape.chunk_rows)),
      resident_lists_(shape.card_lists == nullptr
                          ? nullptr
                          : std::make_unique<gpu::ResidentLists>(shape.card_lists, shape.chunk.dim)) {}

// ---- The writer's

void Segment::BeginChunk() {
  // What the chunk before leaves unused is never seen, nor counted.
  while (next_row_ % shape_.chunk_rows != 0) {
    deaths_.push_back(next_row_);
    row_table_.SetUnused(next_row_++, last_key_appended_);
  }
  auto memory = std::make_shared<MemoryDescriptors>(shape_.chunk.dim, shape_.chunk_rows);
  growing_ = memory.get();
  base::MutexLock lock(mutex_);
  if (!chunks_.empty()) chunks_.back().closed = true;
  chunks_.push_back(
      {.descriptors = memory, .memory = memory, .rows = 0, .closed = false, .mapped = false, .file = std::nullopt});
}

void Segment::Append(Row row) {
  if (growing_ == nullptr || next_row_ % shape_.chunk_rows == 0) BeginChunk();
  growing_->Append(row.descriptor);
  kernels::EncodeRow(codes_.layout(), row.descriptor, codes_.MutableRow(next_row_));
  row_table_.Set(next_row_, row.key, std::move(row.id));
  if (row.attributes != nullptr && !row.attributes->empty())
    attribute_changes_.emplace_back(next_row_, *row.attributes);
  last_key_appended_ = row.key;
  ++next_row_;
  live_.fetch_add(1, std::memory_order_relaxed);
}

void Segment::ApplyAttributeChanges() {
  if (attribute_changes_.empty()) return;
  std::vector<RowChange> changes;
  changes.reserve(attribute_changes_.size());
  for (const auto& [row, attributes] : attribute_changes_) changes.push_back({row, &attributes});
  attributes_.Apply(changes);
  attribute_changes_.clear();
}

void Segment::ApplyDeaths() {
  if (deaths_.empty()) return;
  dead_.Write([this](Roaring& dead) { dead.addMany(deaths_.size(), deaths_.data()); });
  deaths_.clear();
}

void Segment::Publish() {
  ApplyAttributeChanges();
  ApplyDeaths();
  const uint32_t before = rows_.load(std::memory_order_relaxed);
  if (before == next_row_) return;
  {
    base::MutexLock lock(mutex_);
    for (uint32_t chunk = before / shape_.chunk_rows; chunk < chunks_.size(); ++chunk) {
      if (chunks_[chunk].memory != nullptr) chunks_[chunk].rows = chunks_[chunk].memory->rows();
    }
  }
  rows_.store(next_row_, std::memory_order_release);
}

bool Segment::Kill(uint64_t key, uint64_t clock) {
  const std::optional<uint32_t> row = row_table_.Find(key, next_row_);
  if (!row || !row_table_.Alive(*row)) return false;
  row_table_.Kill(*row, clock);
  deaths_.push_back(*row);
  live_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

bool Segment::SetAttributes(uint64_t key, const Attributes& attributes) {
  const std::optional<uint32_t> row = row_table_.Find(key, next_row_);
  if (!row || !row_table_.Alive(*row)) return false;
  attribute_changes_.emplace_back(*row, attributes);
  return true;
}

void Segment::CloseChunk() {
  growing_ = nullptr;
  base::MutexLock lock(mutex_);
  if (!chunks_.empty()) chunks_.back().closed = true;
}

// ---- Loading

absl::Status Segment::AddChunk(std::unique_ptr<ChunkFile> file, const ChunkFileInfo& info) {
  if (info.rows > shape_.chunk_rows || next_row_ + shape_.chunk_rows > shape_.max_rows) {
    return base::Error(absl::StatusCode::kDataLoss, "DATA_DAMAGED", "it has more rows than fit. It is made again.");
  }
  CloseChunk();
  while (next_row_ % shape_.chunk_rows != 0) row_table_.SetUnused(next_row_++, last_key_appended_);
  std::vector<uint64_t> keys;
  SIGHTLINE_RETURN_IF_ERROR(file->LoadRows(&keys, codes_.MutableRow(next_row_)));
  if (keys.front() <= last_key_appended_ || !std::is_sorted(keys.begin(), keys.end())) {
    return base::Error(absl::StatusCode::kDataLoss, "DATA_DAMAGED", "its keys do not ascend. It is made again.");
  }
  for (const uint64_t key : keys) row_table_.SetUnused(next_row_++, key);
  last_key_appended_ = keys.back();
  base::MutexLock lock(mutex_);
  chunks_.push_back({.descriptors = std::move(file),
                     .memory = nullptr,
                     .rows = info.rows,
                     .closed = true,
                     .mapped = false,
                     .file = info});
  return absl::OkStatus();
}

bool Segment::Revive(uint64_t key, const std::string& id, const Attributes& attributes) {
  const std::optional<uint32_t> row = row_table_.Find(key, next_row_);
  if (!row) return false;
  row_table_.Set(*row, key, id);
  live_.fetch_add(1, std::memory_order_relaxed);
  if (attributes.empty()) return true;
  attribute_changes_.emplace_back(*row, attributes);
  if (attribute_changes_.size() >= kMaxAttributeChanges) ApplyAttributeChanges();
  return true;
}

void Segment::ReopenLastChunk() {
  base::MutexLock lock(mutex_);
  Chunk& chunk = chunks_.back();
  if (chunk.rows == shape_.chunk_rows) return;
  auto growing = std::make_shared<MemoryDescriptors>(shape_.chunk.dim, shape_.chunk_rows);
  std::vector<float> descriptor(shape_.chunk.dim);
  for (uint32_t row = 0; row < chunk.rows; ++row) {
    if (!chunk.descriptors->Read(row, descriptor.data()).ok()) return;
    growing->Append(descriptor.data());
  }
  growing_ = growing.get();
  chunk.descriptors = growing;
  chunk.memory = std::move(growing);
  chunk.closed = false;
}

void Segment::FinishLoading() {
  for (uint32_t row = 0; row < next_row_; ++row) {
    if (!row_table_.Alive(row)) deaths_.push_back(row);
  }
  Publish();
}

// ---- Reading

std::shared_ptr<const DescriptorChunk> Segment::Descriptors(uint32_t chunk) const {
  base::MutexLock lock(mutex_);
  return chunks_[chunk].descriptors;
}

absl::Status Segment::Read(uint32_t row, float* out) const {
  const absl::Status read = Descriptors(row / shape_.chunk_rows)->Read(row % shape_.chunk_rows, out);
  if (read.ok()) return read;
  if (!damaged_.exchange(true)) {
    base::Log(base::Severity::kError, "a segment file is damaged; its descriptors are read from the store instead",
              {{"reason", std::string(read.message())}});
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<float> descriptor, truth_(row_table_.Key(row)));
  std::copy(descriptor.begin(), descriptor.end(), out);
  return absl::OkStatus();
}

void Segment::Prefetch(uint32_t row) const { Descriptors(row / shape_.chunk_rows)->Prefetch(row % shape_.chunk_rows); }

void Segment::RemoveDead(Roaring* rows) const {
  dead_.Read([rows](const Roaring& dead) { *rows -= dead; });
}

int64_t Segment::CountAlive(const Roaring& rows) const {
  return static_cast<int64_t>(rows.cardinality()) -
         dead_.Read([&rows](const Roaring& dead) { return static_cast<int64_t>(rows.and_cardinality(dead)); });
}

LayerBytes Segment::memory() const {
  LayerBytes bytes;
  const auto rows = static_cast<int64_t>(rows_.load(std::memory_order_relaxed));
  bytes.codes = std::max<int64_t>(rows * static_cast<int64_t>(codes_.layout().stride) - codes_.mapped_bytes(), 0);
  // Until a row is linked, the links may be about to be made.
  if (linked_rows() > 0) bytes.graph = links_->memory_bytes();
  bytes.attributes = row_table_.memory_bytes() + attributes_.memory_bytes();
  base::MutexLock lock(mutex_);
  for (const Chunk& chunk : chunks_) bytes.descriptors += chunk.descriptors->memory_bytes();
  return bytes;
}

// ---- Links

absl::Status Segment::SaveLinks(uint32_t rows, const Files& files, const std::string& path, LinksFileInfo* info) const {
  SIGHTLINE_ASSIGN_OR_RETURN(
      const SealedFileInfo written,
      WriteSealedFile(files, path, kLinksMagic, [&](ByteSink sink) { return links_->Save(rows, sink); }));
  info->rows = rows;
  info->bytes = written.bytes;
  info->checksum = written.checksum;
  return absl::OkStatus();
}

absl::Status Segment::LoadLinks(const Files& files, const std::string& path, const LinksFileInfo& info) {
  const uint64_t most = kMaxLinksBytes + info.rows * kMaxLinksBytesPerRow;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes,
                             ReadSealedFile(files, path, kLinksMagic, {info.bytes, info.checksum}, most));
  const std::string what = absl::StrCat("segment file ", path);
  if (Graph::IsSaved(bytes) == shape_.inverted) {
    return base::NotFound(kLinksOfOtherKind,
                          absl::StrCat(what,
                                       " is of another kind of index than the collection has now. It is made "
                                       "again."));
  }
  if (shape_.inverted && quantizers_.coarse == nullptr)
    return DamagedError(what, "the centroids it belongs to are not there");
  SIGHTLINE_ASSIGN_OR_RETURN(std::unique_ptr<Links> links, shape_.inverted
                                                               ? LoadInvertedLinks(codes_, quantizers_, bytes)
                                                               : LoadGraphLinks(codes_, shape_.graph, bytes));
  if (links->size() != info.rows) return DamagedError(what, "it links another number of rows");
  links_ = std::move(links);
  linked_.store(info.rows, std::memory_order_release);
  return absl::OkStatus();
}

// ---- Upkeep

absl::Status Segment::SetQuantizers(const Quantizers& quantizers) {
  if (links_ != nullptr) return absl::OkStatus();  // made when there were some already
  SIGHTLINE_ASSIGN_OR_RETURN(links_, MakeInvertedLinks(codes_, quantizers));
  quantizers_ = quantizers;
  return absl::OkStatus();
}

void Segment::MapSealedCodes(const std::string& folder) {
  if (quantizers_.product == nullptr && !shape_.map_codes) return;
  std::vector<std::pair<uint32_t, uint64_t>> files;  // chunks, and the numbers of their files
  {
    base::MutexLock lock(mutex_);
    for (uint32_t i = 0; i < chunks_.size(); ++i) {
      const Chunk& chunk = chunks_[i];
      const bool whole = chunk.file && chunk.file->rows == shape_.chunk_rows && chunk.memory == nullptr;
      if (whole && !chunk.mapped) files.emplace_back(i, chunk.file->number);
    }
  }
  for (const auto& [chunk, number] : files) {
    const std::string path = absl::StrCat(folder, "/", ChunkFileName(number));
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    const bool mapped = codes_.MapChunk(chunk, file, kChunkCodesOffset);
    ::close(file);
    base::MutexLock lock(mutex_);
    chunks_[chunk].mapped = mapped;
  }
}

bool Segment::GrowLinks(uint32_t most, base::ThreadPool* pool) {
  const uint32_t begin = linked_.load(std::memory_order_relaxed);
  const uint32_t end = std::min(rows(), begin + most);
  if (begin == end || links_ == nullptr) return false;
  // Found before they are all in: a search that meets one takes it, and compares with every row from `linked_` on.
  links_->Insert(begin, end, pool);
  linked_.store(end, std::memory_order_release);
  return true;
}

bool Segment::MoveToCard(uint32_t most) {
  const auto read = [this](uint32_t row, float* out) { return Read(row, out); };
  if (resident_lists_ != nullptr) {
    return quantizers_.coarse != nullptr &&
           resident_lists_->Advance(*quantizers_.coarse, linked_rows(), row_table_, read, most);
  }
  if (resident_rows_ == nullptr) return false;
  std::vector<uint32_t> sealed;
  {
    base::MutexLock lock(mutex_);
    for (const Chunk& chunk : chunks_) sealed.push_back(chunk.file && chunk.memory == nullptr ? chunk.file->rows : 0);
  }
  return resident_rows_->Advance(sealed, row_table_, rows() - live(), read, most);
}

bool Segment::LeaveCard() {
  return (resident_rows_ != nullptr && resident_rows_->Leave()) ||
         (resident_lists_ != nullptr && resident_lists_->Leave());
}

gpu::RowsOnCard Segment::on_card() const {
  if (resident_lists_ != nullptr) return resident_lists_->on_card();
  return resident_rows_ == nullptr ? gpu::RowsOnCard() : resident_rows_->on_card();
}

std::optional<uint32_t> Segment::ChunkToSeal(uint64_t partial_until) const {
  base::MutexLock lock(mutex_);
  for (uint32_t i = 0; i < chunks_.size(); ++i) {
    const Chunk& chunk = chunks_[i];
    const uint32_t sealed = chunk.file ? chunk.file->rows : 0;
    if (chunk.rows == sealed) continue;
    if (chunk.rows == shape_.chunk_rows || chunk.closed) return i;
    if (row_table_.Key(i * shape_.chunk_rows + sealed) <= partial_until) return i;
  }
  return std::nullopt;
}

absl::StatusOr<ChunkFileInfo> Segment::WriteChunk(uint32_t chunk, const Files& files, const std::string& path) const {
  std::shared_ptr<const DescriptorChunk> descriptors;
  uint32_t rows = 0;
  {
    base::MutexLock lock(mutex_);
    descriptors = chunks_[chunk].descriptors;
    rows = chunks_[chunk].rows;
  }
  const uint32_t first = chunk * shape_.chunk_rows;
  std::vector<uint64_t> keys(rows);
  for (uint32_t row = 0; row < rows; ++row) keys[row] = row_table_.Key(first + row);
  return WriteChunkFile(
      files, path, {.shape = shape_.chunk, .keys = keys, .codes = codes_.Row(first), .descriptors = descriptors.get()});
}

std::optional<ChunkFileInfo> Segment::chunk_file(uint32_t chunk) const {
  base::MutexLock lock(mutex_);
  return chunks_[chunk].file;
}

void Segment::SetChunkFile(uint32_t chunk, const std::optional<ChunkFileInfo>& info) {
  base::MutexLock lock(mutex_);
  chunks_[chunk].file = info;
}

absl::Status Segment::ReadFromFile(uint32_t chunk, const Files& files, const std::string& path) {
  const std::optional<ChunkFileInfo> info = chunk_file(chunk);
  SIGHTLINE_ASSIGN_OR_RETURN(std::shared_ptr<DescriptorChunk> file, ChunkFile::Open(files, path, *info, shape_.chunk));
  base::MutexLock lock(mutex_);
  Chunk& sealed = chunks_[chunk];
  // Rows may have come while the file was written, also some that are not published yet; the chunk is then sealed
  // again.
  const bool grows = sealed.rows < shape_.chunk_rows && !sealed.closed;
  if (grows || sealed.memory == nullptr || sealed.memory->rows() != info->rows) return absl::OkStatus();
  sealed.descriptors = std::move(file);
  sealed.memory = nullptr;
  return absl::OkStatus();
}

std::vector<ChunkFileInfo> Segment::sealed_chunks() const {
  std::vector<ChunkFileInfo> files;
  base::MutexLock lock(mutex_);
  for (const Chunk& chunk : chunks_) {
    if (chunk.file) files.push_back(*chunk.file);
  }
  return files;
}

uint32_t Segment::sealed_rows() const {
  base::MutexLock lock(mutex_);
  for (uint32_t i = 0; i < chunks_.size(); ++i) {
    const uint32_t sealed = chunks_[i].file ? chunks_[i].file->rows : 0;
    if (sealed < shape_.chunk_rows) return i * shape_.chunk_rows + sealed;
  }
  return static_cast<uint32_t>(chunks_.size()) * shape_.chunk_rows;
}

uint32_t Segment::unsealed_rows() const {
  uint32_t rows = 0;
  base::MutexLock lock(mutex_);
  for (const Chunk& chunk : chunks_) rows += chunk.rows - (chunk.file ? chunk.file->rows : 0);
  return rows;
}

}  // namespace sightline::index
