#include "index/ann/chunk_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/crc32c.h"
#include "base/kill_point.h"
#include "base/status.h"
#include "index/kernels/float16.h"
#include "index/store/codec.h"

namespace sightline::index {
namespace {

constexpr absl::string_view kChunkMagic = "SLCHUNK\n";
constexpr uint32_t kChunkVersion = 1;
constexpr size_t kChunkHeaderBytes = 64;
constexpr size_t kChunkPieceBytes = 1 << 20;

// Far above what a row of normalised values has, and low enough that no score overflows: sorting scores that are no
// numbers leads anywhere.
constexpr float kMostScale = 1e6;
constexpr float kMostValue = 1e6;

size_t ValueBytes(const ChunkShape& shape) {
  return shape.precision == DescriptorPrecision::kFloat16 ? sizeof(uint16_t) : sizeof(float);
}

// Where the sections begin: header, codes, row checksums, keys, descriptors. The codes begin with a page, so that they
// can be mapped into memory.
struct ChunkSections {
  ChunkSections(const ChunkShape& shape, uint32_t rows)
      : codes(static_cast<uint64_t>(kChunkCodesOffset)),
        checksums(codes + rows * kernels::CodeLayout(shape.dim).stride),
        keys(checksums + rows * sizeof(uint32_t)),
        descriptors(keys + rows * sizeof(uint64_t)),
        end(descriptors + rows * shape.dim * ValueBytes(shape)) {}
  uint64_t codes, checksums, keys, descriptors, end;
};

struct ChunkHeader {
  uint32_t dim = 0;
  uint32_t precision = 0;
  uint32_t rows = 0;
  uint32_t row_checksums = 0;
  uint32_t keys = 0;
  uint32_t codes = 0;
  uint64_t first_key = 0;
  uint64_t last_key = 0;
};

std::string EncodeChunkHeader(const ChunkHeader& header) {
  std::string bytes(kChunkMagic);
  const auto put = [&bytes](auto value) { bytes.append(reinterpret_cast<const char*>(&value), sizeof(value)); };
  put(kChunkVersion);
  put(header.dim);
  put(header.precision);
  put(header.rows);
  put(header.row_checksums);
  put(header.keys);
  put(header.codes);
  put(header.first_key);
  put(header.last_key);
  bytes.resize(kChunkHeaderBytes - sizeof(uint32_t));
  put(base::Crc32c(bytes));
  return bytes;
}

// The bytes of a row as the file holds them.
absl::string_view PackRow(const ChunkShape& shape, const std::vector<float>& values, std::vector<uint16_t>* halves) {
  if (shape.precision == DescriptorPrecision::kFloat32) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
  }
  std::transform(values.begin(), values.end(), halves->begin(), kernels::Float16FromFloat);
  return {reinterpret_cast<const char*>(halves->data()), halves->size() * sizeof(uint16_t)};
}

template <typename Value>
absl::string_view ChunkBytesOf(absl::Span<const Value> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(Value)};
}

}  // namespace

absl::StatusOr<ChunkFileInfo> WriteChunkFile(const Files& files, const std::string& path, const ChunkContent& content) {
  const ChunkShape& shape = content.shape;
  const uint32_t rows = static_cast<uint32_t>(content.keys.size());
  const ChunkSections sections(shape, rows);
  const absl::string_view codes(reinterpret_cast<const char*>(content.codes), sections.checksums - sections.codes);
  std::vector<float> values(shape.dim);
  std::vector<uint16_t> halves(shape.dim);
  std::vector<uint32_t> row_checksums(rows);
  for (uint32_t row = 0; row < rows; ++row) {
    SIGHTLINE_RETURN_IF_ERROR(content.descriptors->Read(row, values.data()));
    row_checksums[row] = base::Crc32c(PackRow(shape, values, &halves));
  }
  ChunkHeader header;
  header.dim = static_cast<uint32_t>(shape.dim);
  header.precision = static_cast<uint32_t>(shape.precision);
  header.rows = rows;
  header.row_checksums = base::Crc32c(ChunkBytesOf(absl::MakeConstSpan(row_checksums)));
  header.keys = base::Crc32c(ChunkBytesOf(content.keys));
  header.codes = base::Crc32c(codes);
  header.first_key = content.keys.front();
  header.last_key = content.keys.back();
  const std::string head = EncodeChunkHeader(header);

  SIGHTLINE_ASSIGN_OR_RETURN(const std::unique_ptr<FileSink> sink, files.Create(path));
  SIGHTLINE_RETURN_IF_ERROR(sink->Append(head));
  SIGHTLINE_RETURN_IF_ERROR(sink->Append(std::string(static_cast<uint64_t>(kChunkCodesOffset) - head.size(), '\0')));
  for (size_t at = 0; at < codes.size(); at += kChunkPieceBytes) {
    SIGHTLINE_RETURN_IF_ERROR(sink->Append(codes.substr(at, kChunkPieceBytes)));
  }
  SIGHTLINE_RETURN_IF_ERROR(sink->Append(ChunkBytesOf(absl::MakeConstSpan(row_checksums))));
  SIGHTLINE_RETURN_IF_ERROR(sink->Append(ChunkBytesOf(content.keys)));
  std::string piece;
  for (uint32_t row = 0; row < rows; ++row) {
    SIGHTLINE_RETURN_IF_ERROR(content.descriptors->Read(row, values.data()));
    const absl::string_view packed = PackRow(shape, values, &halves);
    piece.append(packed.data(), packed.size());
    if (piece.size() < kChunkPieceBytes && row + 1 < rows) continue;
    SIGHTLINE_RETURN_IF_ERROR(sink->Append(piece));
    piece.clear();
  }
  SIGHTLINE_KILL_POINT("segment.chunk_written");
  SIGHTLINE_RETURN_IF_ERROR(sink->Finish());
  SIGHTLINE_KILL_POINT("segment.chunk_durable");
  return ChunkFileInfo{.number = 0,
                       .rows = rows,
                       .first_key = header.first_key,
                       .last_key = header.last_key,
                       .bytes = sections.end,
                       .checksum = base::Crc32c(head)};
}

ChunkFile::ChunkFile(std::string path, const ChunkFileInfo& info, const ChunkShape& shape)
    : path_(std::move(path)), info_(info), shape_(shape), layout_(shape.dim) {}

absl::Status ChunkFile::Damaged(absl::string_view problem) const {
  return DamagedError(absl::StrCat("segment file ", path_), problem);
}

absl::StatusOr<std::unique_ptr<ChunkFile>> ChunkFile::Open(const Files& files, const std::string& path,
                                                           const ChunkFileInfo& info, const ChunkShape& shape) {
  std::unique_ptr<ChunkFile> chunk(new ChunkFile(path, info, shape));
  SIGHTLINE_ASSIGN_OR_RETURN(chunk->file_, files.Open(path));
  SIGHTLINE_RETURN_IF_ERROR(chunk->ReadHeader());
  return chunk;
}

absl::Status ChunkFile::ReadHeader() {
  const ChunkSections sections(shape_, info_.rows);
  if (info_.bytes != sections.end || static_cast<uint64_t>(file_->size()) != info_.bytes) {
    return Damaged(absl::StrCat("it has ", file_->size(), " bytes instead of ", sections.end));
  }
  std::string head(kChunkHeaderBytes, '\0');
  SIGHTLINE_RETURN_IF_ERROR(file_->Read(0, head.size(), head.data()));
  if (base::Crc32c(head) != info_.checksum || !absl::StartsWith(head, kChunkMagic)) {
    return Damaged("its header is not the one that was written");
  }
  // The manifest vouches for every byte of the header, so its fields need no further checks.
  const auto field = [&head](size_t index) {
    uint32_t value;
    std::memcpy(&value, head.data() + kChunkMagic.size() + index * sizeof(value), sizeof(value));
    return value;
  };
  if (field(0) != kChunkVersion) {
    return base::FailedPrecondition(
        "FORMAT_UNKNOWN", absl::StrCat("segment file ", path_, " has version ", field(0), "; this server knows ",
                                       kChunkVersion, ". Run the version that wrote it."));
  }
  if (field(1) != shape_.dim || field(2) != static_cast<uint32_t>(shape_.precision) || field(3) != info_.rows) {
    return Damaged("its shape is not that of the collection");
  }
  keys_checksum_ = field(5);
  codes_checksum_ = field(6);
  row_checksums_.resize(info_.rows);
  char* const checksums = reinterpret_cast<char*>(row_checksums_.data());
  SIGHTLINE_RETURN_IF_ERROR(file_->Read(sections.checksums, sections.keys - sections.checksums, checksums));
  if (base::Crc32c({checksums, sections.keys - sections.checksums}) != field(4)) {
    return Damaged("the checksums of its descriptors are wrong");
  }
  return absl::OkStatus();
}

absl::Status ChunkFile::LoadRows(std::vector<uint64_t>* keys, uint8_t* codes) {
  const ChunkSections sections(shape_, info_.rows);
  keys->resize(info_.rows);
  char* const key_bytes = reinterpret_cast<char*>(keys->data());
  SIGHTLINE_RETURN_IF_ERROR(file_->Read(sections.keys, sections.descriptors - sections.keys, key_bytes));
  if (base::Crc32c({key_bytes, sections.descriptors - sections.keys}) != keys_checksum_) {
    return Damaged("its keys are wrong");
  }
  char* const code_bytes = reinterpret_cast<char*>(codes);
  const uint64_t size = sections.checksums - sections.codes;
  uint32_t checksum = 0;
  for (uint64_t at = 0; at < size; at += kChunkPieceBytes) {
    const size_t piece = std::min<uint64_t>(kChunkPieceBytes, size - at);
    SIGHTLINE_RETURN_IF_ERROR(file_->Read(sections.codes + at, piece, code_bytes + at));
    checksum = base::Crc32c({code_bytes + at, piece}, checksum);
  }
  if (checksum != codes_checksum_) return Damaged("its codes are wrong");
  for (uint32_t row = 0; row < info_.rows; ++row) {
    const kernels::CodeTrailer trailer = layout_.Trailer(codes + row * layout_.stride);
    // Written so that a NaN fails.
    const bool sound = trailer.scale >= 0 && trailer.scale <= kMostScale && trailer.error >= 0 &&
                       trailer.error <= kMostScale * static_cast<float>(shape_.dim);
    if (!sound) return Damaged(absl::StrCat("scale or error of the codes of row ", row, " is out of range"));
  }
  return absl::OkStatus();
}

absl::Status ChunkFile::Read(uint32_t row, float* out) const {
  SIGHTLINE_RETURN_IF_ERROR(ReadChecked(row, out));
  // A checksum is no proof: a snapshot may come from anywhere. Written so that a NaN counts.
  int unsound = 0;
  for (uint32_t i = 0; i < shape_.dim; ++i) unsound += std::abs(out[i]) <= kMostValue ? 0 : 1;
  return unsound == 0 ? absl::OkStatus() : Damaged(absl::StrCat("a value of row ", row, " is out of range"));
}

absl::Status ChunkFile::ReadChecked(uint32_t row, float* out) const {
  const size_t bytes = shape_.dim * ValueBytes(shape_);
  const uint64_t at = ChunkSections(shape_, info_.rows).descriptors + row * bytes;
  if (shape_.precision == DescriptorPrecision::kFloat32) {
    char* const values = reinterpret_cast<char*>(out);
    SIGHTLINE_RETURN_IF_ERROR(file_->Read(at, bytes, values));
    return base::Crc32c({values, bytes}) == row_checksums_[row] ? absl::OkStatus() : Damaged("a descriptor is wrong");
  }
  thread_local std::vector<uint16_t> halves;
  halves.resize(shape_.dim);
  char* const values = reinterpret_cast<char*>(halves.data());
  SIGHTLINE_RETURN_IF_ERROR(file_->Read(at, bytes, values));
  if (base::Crc32c({values, bytes}) != row_checksums_[row]) return Damaged("a descriptor is wrong");
  std::transform(halves.begin(), halves.end(), out, kernels::FloatFromFloat16);
  return absl::OkStatus();
}

void ChunkFile::Prefetch(uint32_t row) const {
  const size_t bytes = shape_.dim * ValueBytes(shape_);
  file_->Prefetch(static_cast<int64_t>(ChunkSections(shape_, info_.rows).descriptors + row * bytes), bytes);
}

int64_t ChunkFile::memory_bytes() const { return static_cast<int64_t>(row_checksums_.size() * sizeof(uint32_t)); }

}  // namespace sightline::index
