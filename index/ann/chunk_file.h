// ChunkFile: a sealed chunk of rows on disk: record keys, int8 codes, and descriptors in full precision. FORMAT.md
// specifies it. Written once, whole, then never changed.
//
// Nothing in a file is used before its checksum and its declared sizes have been verified: header, keys and codes when
// it is opened, each descriptor when it is read.
//
// Threading: WriteChunkFile and Open on one thread; Read from any. Ownership: the object holds the open file.
// Failure: DATA_LOSS that names the file; what the disk refuses as in files.h.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(ChunkFileInfo info, WriteChunkFile(files, path, {...}));
//   SIGHTLINE_ASSIGN_OR_RETURN(auto chunk, ChunkFile::Open(files, path, info, shape));
//   SIGHTLINE_RETURN_IF_ERROR(chunk->LoadRows(&keys, codes.MutableRow(first)));
#ifndef SIGHTLINE_INDEX_ANN_CHUNK_FILE_H_
#define SIGHTLINE_INDEX_ANN_CHUNK_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/ann/descriptor_chunk.h"
#include "index/collection.h"
#include "index/kernels/int8_code.h"
#include "index/store/files.h"
#include "index/store/segment_manifest.h"

namespace sightline::index {

struct ChunkShape {
  size_t dim = 0;
  DescriptorPrecision precision = DescriptorPrecision::kFloat32;
};

struct ChunkContent {
  ChunkShape shape;
  absl::Span<const uint64_t> keys;  // ascending
  const uint8_t* codes = nullptr;   // keys.size() rows, one after the other
  const DescriptorChunk* descriptors = nullptr;
};

// Durable on OK. The number is left to the caller.
absl::StatusOr<ChunkFileInfo> WriteChunkFile(const Files& files, const std::string& path, const ChunkContent& content);

// Where the codes begin in the file; a multiple of the page size.
inline constexpr int64_t kChunkCodesOffset = 4096;

class ChunkFile : public DescriptorChunk {
 public:
  static absl::StatusOr<std::unique_ptr<ChunkFile>> Open(const Files& files, const std::string& path,
                                                         const ChunkFileInfo& info, const ChunkShape& shape);

  // Reads keys and codes (info.rows rows of the layout's stride) and verifies both.
  absl::Status LoadRows(std::vector<uint64_t>* keys, uint8_t* codes);

  absl::Status Read(uint32_t row, float* out) const override;
  void Prefetch(uint32_t row) const override;
  int64_t memory_bytes() const override;

 private:
  ChunkFile(std::string path, const ChunkFileInfo& info, const ChunkShape& shape);
  absl::Status ReadChecked(uint32_t row, float* out) const;  // its checksum alone
  absl::Status ReadHeader();
  absl::Status Damaged(absl::string_view problem) const;

  const std::string path_;
  const ChunkFileInfo info_;
  const ChunkShape shape_;
  const kernels::CodeLayout layout_;
  std::unique_ptr<FileReader> file_;
  std::vector<uint32_t> row_checksums_;
  uint32_t keys_checksum_ = 0;
  uint32_t codes_checksum_ = 0;
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_CHUNK_FILE_H_
