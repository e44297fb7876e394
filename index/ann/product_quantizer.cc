#include "index/ann/product_quantizer.h"

#include <faiss/impl/FaissException.h>
#include <faiss/impl/ProductQuantizer.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/ann/little_endian.h"
#include "index/ann/openmp_threads.h"
#include "index/record.h"

namespace sightline::index {
namespace {

constexpr size_t kBitsPerPart = 8;

// The bytes, as FAISS writes them: u64 padded dim, u64 parts, u64 bits of a part, u64 number of floats, the floats
// (parts x 256 x values of a part).
constexpr size_t kPqHeader = 32;

size_t PartValues(size_t dim, size_t code_bytes) { return (dim + code_bytes - 1) / code_bytes; }

absl::Status DamagedPq(absl::string_view what) {
  return base::Error(
      absl::StatusCode::kDataLoss, "PQ_DAMAGED",
      absl::StrCat("the product quantiser's bytes are damaged: ", what, ". Train it again from the records."));
}

absl::Status FaissFailed(absl::string_view what, const faiss::FaissException& error) {
  return base::Error(absl::StatusCode::kInternal, "PQ_FAILED",
                     absl::StrCat(what, " a product quantiser failed: ", error.what(), " Report this."));
}

std::vector<float> PadRows(absl::Span<const float> rows, size_t dim, size_t padded) {
  if (padded == dim) return {rows.begin(), rows.end()};
  std::vector<float> result(rows.size() / dim * padded);
  for (size_t i = 0; i * dim < rows.size(); ++i) std::copy_n(&rows[i * dim], dim, &result[i * padded]);
  return result;
}

}  // namespace

ProductQuantizer::ProductQuantizer(std::unique_ptr<faiss::ProductQuantizer> quantizer, size_t dim)
    : quantizer_(std::move(quantizer)), dim_(dim), code_bytes_(quantizer_->M) {}

ProductQuantizer::~ProductQuantizer() = default;

absl::StatusOr<std::shared_ptr<const ProductQuantizer>> ProductQuantizer::Train(absl::Span<const float> sample,
                                                                                size_t dim,
                                                                                const TrainOptions& options) {
  const size_t code_bytes = options.code_bytes == 0 ? DefaultCodeBytes(dim) : options.code_bytes;
  if (code_bytes > dim) {
    return base::InvalidArgument("PQ_CODE_BYTES_INVALID",
                                 absl::StrCat("codes of ", code_bytes, " bytes were asked for descriptors of ", dim,
                                              " values. Ask for as many bytes as there are values, or fewer."),
                                 {{"limit", absl::StrCat(dim)}, {"actual", absl::StrCat(code_bytes)}});
  }
  const size_t rows = dim == 0 ? 0 : sample.size() / dim;
  if (rows < kCentroids || rows * dim != sample.size()) {
    return base::FailedPrecondition("PQ_SAMPLE_TOO_SMALL",
                                    absl::StrCat("a product quantiser needs ", kCentroids, " descriptors of ", dim,
                                                 " values to train on, and there are ", rows, ". Index more images."),
                                    {{"limit", absl::StrCat(kCentroids)}, {"actual", absl::StrCat(rows)}});
  }
  if (!std::all_of(sample.begin(), sample.end(), [](float value) { return std::isfinite(value); })) {
    return base::InvalidArgument("PQ_SAMPLE_INVALID",
                                 "a descriptor to train on is not finite. Leave it out of the sample.");
  }
  const size_t padded = PartValues(dim, code_bytes) * code_bytes;
  const OpenMpThreads threads(options.threads);
  try {
    auto quantizer = std::make_unique<faiss::ProductQuantizer>(padded, code_bytes, kBitsPerPart);
    quantizer->cp.niter = std::max(1, options.iterations);
    quantizer->cp.seed = options.seed;
    quantizer->cp.min_points_per_centroid = 1;
    quantizer->train(rows, PadRows(sample, dim, padded).data());
    return std::shared_ptr<const ProductQuantizer>(new ProductQuantizer(std::move(quantizer), dim));
  } catch (const faiss::FaissException& error) {
    return FaissFailed("training", error);
  }
}

absl::StatusOr<std::string> ProductQuantizer::Save() const {
  try {
    faiss::VectorIOWriter writer;
    faiss::write_ProductQuantizer(quantizer_.get(), &writer);
    return std::string(writer.data.begin(), writer.data.end());
  } catch (const faiss::FaissException& error) {
    return FaissFailed("writing", error);
  }
}

absl::StatusOr<std::shared_ptr<const ProductQuantizer>> ProductQuantizer::Load(absl::string_view bytes, size_t dim) {
  if (bytes.size() < kPqHeader) {
    return DamagedPq(absl::StrCat("there are ", bytes.size(), ", less than the header's ", kPqHeader));
  }
  const uint64_t padded = little_endian::LoadU64(bytes.data());
  const uint64_t parts = little_endian::LoadU64(bytes.data() + 8);
  const uint64_t bits = little_endian::LoadU64(bytes.data() + 16);
  const uint64_t floats = little_endian::LoadU64(bytes.data() + 24);
  if (parts < 1 || parts > dim || padded != PartValues(dim, parts) * parts || bits != kBitsPerPart) {
    return DamagedPq(absl::StrCat("they declare ", parts, " parts of ", bits, " bits for ", padded,
                                  " values, and the collection's descriptors have ", dim));
  }
  if (floats != padded * kCentroids || bytes.size() - kPqHeader != floats * sizeof(float)) {
    return DamagedPq(absl::StrCat("they declare ", floats, " numbers instead of ", padded * kCentroids, ", and ",
                                  bytes.size() - kPqHeader, " bytes follow the header"));
  }
  for (size_t at = kPqHeader; at < bytes.size(); at += sizeof(float)) {
    if (!std::isfinite(little_endian::LoadF32(bytes.data() + at))) {
      return DamagedPq(absl::StrCat("the number at byte ", at, " is not finite"));
    }
  }
#ifdef SIGHTLINE_FAISS_HAS_READ_LIMITS
  // The limit holds for the whole process and must not change while anything is read: it is set once, to what the
  // longest descriptors need (padding at most doubles them).
  static const bool limited = [] {
    const auto values = 2 * static_cast<size_t>(RecordLimits().max_descriptor_dim);
    faiss::set_deserialization_vector_byte_limit(values * kCentroids * sizeof(float));
    return true;
  }();
  static_cast<void>(limited);
#endif
  try {
    faiss::VectorIOReader reader;
    reader.data.assign(bytes.begin(), bytes.end());
    std::unique_ptr<faiss::ProductQuantizer> quantizer(faiss::read_ProductQuantizer(&reader));
    return std::shared_ptr<const ProductQuantizer>(new ProductQuantizer(std::move(quantizer), dim));
  } catch (const faiss::FaissException& error) {
    return FaissFailed("reading", error);
  }
}

std::vector<float> ProductQuantizer::Padded(const float* descriptor) const {
  std::vector<float> padded(quantizer_->d);
  std::copy_n(descriptor, dim_, padded.begin());
  return padded;
}

void ProductQuantizer::Encode(const float* descriptor, uint8_t* code) const {
  quantizer_->compute_code(Padded(descriptor).data(), code);
}

std::vector<float> ProductQuantizer::Table(const float* query) const {
  std::vector<float> table(code_bytes_ * kCentroids);
  quantizer_->compute_inner_prod_table(Padded(query).data(), table.data());
  return table;
}

void ProductQuantizer::Scores(const float* table, const uint8_t* const* codes, size_t count, float* out) const {
  size_t r = 0;
  // Four rows at once: each sum waits for its own additions only. Every sum is made in the same order.
  for (; r + 4 <= count; r += 4) {
    float a = 0, b = 0, c = 0, d = 0;
    const float* part = table;
    for (size_t m = 0; m < code_bytes_; ++m, part += kCentroids) {
      a += part[codes[r][m]];
      b += part[codes[r + 1][m]];
      c += part[codes[r + 2][m]];
      d += part[codes[r + 3][m]];
    }
    out[r] = a;
    out[r + 1] = b;
    out[r + 2] = c;
    out[r + 3] = d;
  }
  for (; r < count; ++r) {
    float sum = 0;
    for (size_t m = 0; m < code_bytes_; ++m) sum += table[m * kCentroids + codes[r][m]];
    out[r] = sum;
  }
}

int64_t ProductQuantizer::memory_bytes() const {
  return static_cast<int64_t>(sizeof(*quantizer_) + quantizer_->centroids.size() * sizeof(float));
}

}  // namespace sightline::index
