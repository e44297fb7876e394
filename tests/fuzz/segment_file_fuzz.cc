// Any bytes as a file of a segment behind its checksums: the first byte says which (centroids, a product quantiser,
// inverted lists without and with product codes, a chunk of rows). What loads is searched, and no score that comes out
// is anything but a number.
#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "base/crc32c.h"
#include "base/log.h"
#include "index/ann/chunk_file.h"
#include "index/ann/coarse_quantizer.h"
#include "index/ann/links.h"
#include "index/ann/product_quantizer.h"
#include "index/ann/segment.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/support/temp_folder.h"

namespace sightline::index {
namespace {

constexpr size_t kDim = 8;
constexpr uint32_t kRows = 64;
constexpr uint32_t kChunkRows = 16;
const kernels::CodeLayout kLayout(kDim);

std::vector<float> Descriptor(uint32_t row) {
  std::vector<float> values(kDim, 0.1F);
  values[row % kDim] = 1;
  values[row / kDim % kDim] -= 0.5F;
  return values;
}

const CodeTable& Codes() {
  static CodeTable codes(kLayout, kRows, kRows);
  static const bool filled = [] {
    for (uint32_t row = 0; row < kRows; ++row) {
      kernels::EncodeRow(kLayout, Descriptor(row).data(), codes.MutableRow(row));
    }
    return true;
  }();
  static_cast<void>(filled);
  return codes;
}

std::vector<float> Sample(uint32_t rows) {
  std::vector<float> sample;
  for (uint32_t row = 0; row < rows; ++row) {
    const std::vector<float> values = Descriptor(row);
    sample.insert(sample.end(), values.begin(), values.end());
  }
  return sample;
}

void CheckScores(absl::Span<const ScoredRow> found, uint32_t rows) {
  for (const ScoredRow& row : found) testing::Expect(std::isfinite(row.score) && row.row < rows);
}

void TryCentroids(absl::string_view bytes) {
  const auto quantizer = CoarseQuantizer::Load(bytes, kDim);
  testing::CheckAnswer(quantizer.status());
  if (!quantizer.ok()) return;
  for (const uint32_t list : (*quantizer)->Nearest(kernels::Int8Query(kLayout, Descriptor(3).data()), 4)) {
    testing::Expect(list < (*quantizer)->lists());
  }
}

void TryProduct(absl::string_view bytes) {
  const auto quantizer = ProductQuantizer::Load(bytes, kDim);
  testing::CheckAnswer(quantizer.status());
  if (!quantizer.ok()) return;
  std::string code((*quantizer)->code_bytes(), '\0');
  const auto* const data = reinterpret_cast<const uint8_t*>(code.data());
  (*quantizer)->Encode(Descriptor(1).data(), reinterpret_cast<uint8_t*>(code.data()));
  float score = 0;
  (*quantizer)->Scores((*quantizer)->Table(Descriptor(2).data()).data(), &data, 1, &score);
}

void TryLists(absl::string_view bytes, bool product) {
  static const Quantizers quantizers{.coarse = *CoarseQuantizer::Make(Sample(4), kDim),
                                     .product = *ProductQuantizer::Train(Sample(256), kDim, {})};
  const auto links = LoadInvertedLinks(
      Codes(), {.coarse = quantizers.coarse, .product = product ? quantizers.product : nullptr}, bytes);
  testing::CheckAnswer(links.status());
  if (!links.ok()) return;
  const std::vector<float> vector = Descriptor(5);
  const kernels::Int8Query query(kLayout, vector.data());
  const auto accept = [](uint32_t) { return true; };
  const LinksResult found =
      (*links)->Search({.vector = vector.data(), .query = &query, .k = 10, .effort = 4, .accept = accept});
  CheckScores(found.best, (*links)->size());
}

// `count` values from the front of `bytes`, zeros where they end.
std::string TakeOrZero(absl::string_view* bytes, size_t count) {
  std::string taken(bytes->substr(0, count));
  bytes->remove_prefix(taken.size());
  taken.resize(count, '\0');
  return taken;
}

// Codes, keys and descriptors of up to 16 rows; header and checksums are those that belong to them.
void TryChunk(absl::string_view bytes) {
  static const testing::TempFolder folder;
  const uint32_t rows = bytes.empty() ? 1 : static_cast<uint8_t>(bytes[0]) % kChunkRows + 1;
  bytes.remove_prefix(std::min<size_t>(bytes.size(), 1));
  const std::string codes = TakeOrZero(&bytes, rows * kLayout.stride);
  const std::string keys = TakeOrZero(&bytes, rows * sizeof(uint64_t));
  std::string checksums, descriptors;
  for (uint32_t row = 0; row < rows; ++row) {
    const std::string descriptor = TakeOrZero(&bytes, kDim * sizeof(float));
    checksums += testing::Little("", {base::Crc32c(descriptor)});
    descriptors += descriptor;
  }
  std::string head = testing::Little(
      "SLCHUNK\n", {1, kDim, /*precision=*/0, rows, base::Crc32c(checksums), base::Crc32c(keys), base::Crc32c(codes)});
  head.resize(64, '\0');
  const std::string path = folder.Path("chunk");
  std::string file = head;
  file.resize(static_cast<size_t>(kChunkCodesOffset), '\0');
  file += codes + checksums + keys + descriptors;
  std::ofstream(path, std::ios::binary | std::ios::trunc) << file;

  const ChunkFileInfo info{.rows = rows, .bytes = file.size(), .checksum = base::Crc32c(head)};
  SegmentShape shape;
  shape.chunk = {kDim, DescriptorPrecision::kFloat32};
  shape.chunk_rows = kChunkRows;
  shape.max_rows = kRows;
  auto opened = ChunkFile::Open(Files(), path, info, shape.chunk);
  testing::CheckAnswer(opened.status());
  testing::Expect(opened.ok());
  Segment segment(shape, [](uint64_t) { return absl::StatusOr<std::vector<float>>(Descriptor(0)); });
  const absl::Status added = segment.AddChunk(*std::move(opened), info);
  testing::CheckAnswer(added);
  if (!added.ok()) return;
  for (uint32_t row = 0; row < rows; ++row) segment.Revive(segment.row_table().Key(row), "id", {});
  segment.FinishLoading();
  while (segment.GrowLinks(kChunkRows, nullptr)) {
  }
  const std::vector<float> vector = Descriptor(5);
  SegmentQuery query;
  query.query = vector.data();
  query.k = 5;
  query.rows = segment.rows();
  for (const bool links : {false, true}) {
    query.links = links;
    CheckScores(segment.Search(query).best, rows);
  }
}

}  // namespace
}  // namespace sightline::index

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sightline::index;  // NOLINT(google-build-using-namespace): a program of one function
  sightline::base::SetLogLevel(sightline::base::Severity::kOff);
  if (size < 1) return 0;
  const absl::string_view rest = sightline::testing::View(data + 1, size - 1);
  switch (data[0]) {
    case 0: TryCentroids(rest); break;
    case 1: TryProduct(rest); break;
    case 2: TryLists(rest, /*product=*/false); break;
    case 3: TryLists(rest, /*product=*/true); break;
    case 4: TryChunk(rest); break;
    default: return -1;
  }
  return 0;
}
