#include "index/store/small_codec.h"

#include <utility>

#include "base/status.h"
#include "index/store/codec.h"

namespace sightline::index {
namespace {

constexpr uint8_t kConfigFormat = 1;         // of a collection whose keep_image was never changed
constexpr uint8_t kChangedConfigFormat = 2;  // of one whose was
constexpr uint8_t kDeviceConfigFormat = 3;   // of one that has chosen its device
constexpr uint8_t kCountersFormat = 1;
constexpr uint8_t kRecordKeyFormat = 1;
constexpr uint8_t kRequestFormat = 1;
constexpr uint8_t kConfidenceFormat = 1;

// Enumerations are stored by these numbers, which therefore never change.
static_assert(static_cast<int>(KeepImage::kOriginal) == 2 && static_cast<int>(IndexKind::kIvf) == 3 &&
              static_cast<int>(DescriptorPrecision::kFloat16) == 1 && static_cast<int>(IndexDevice::kCpu) == 1 &&
              static_cast<int>(rerank::Marginals::kImportance) == 5 && static_cast<int>(rerank::StopRule::kFixed) == 2);

template <typename Enum>
Enum DecodeEnum(Decoder* in, Enum last) {
  const uint8_t value = in->U8();
  if (value > static_cast<uint8_t>(last)) in->Fail();
  return static_cast<Enum>(value);
}

}  // namespace

std::string EncodeConfig(absl::string_view key, const CollectionConfig& config) {
  // As old as can be, so that an older server reads whatever it can know.
  const bool device = config.device != IndexDevice::kAuto;
  Encoder out(device ? kDeviceConfigFormat : config.first_keep_image ? kChangedConfigFormat : kConfigFormat);
  out.Text(config.name);
  out.Text(config.model);
  out.Text(config.embedding_space);
  out.Text(config.token_space);
  out.U32(static_cast<uint32_t>(config.descriptor_dim));
  out.U8(static_cast<uint8_t>(config.keep_image));
  out.U8(static_cast<uint8_t>(config.index_kind));
  out.U8(static_cast<uint8_t>(config.descriptor_precision));
  out.U8(config.drop_tokens ? 1 : 0);
  out.U32(static_cast<uint32_t>(config.hnsw_m));
  out.U32(static_cast<uint32_t>(config.hnsw_ef_construction));
  out.U32(static_cast<uint32_t>(config.ivf_lists));
  out.Text(config.description);
  out.I64(absl::ToUnixMicros(config.create_time));
  if (device) {
    out.U8(static_cast<uint8_t>(config.device));
    out.U8(config.first_keep_image ? 1 : 0);
  }
  if (config.first_keep_image) {
    out.U8(static_cast<uint8_t>(*config.first_keep_image));
    out.U8(config.had_previews ? 1 : 0);
    out.U8(config.had_originals ? 1 : 0);
  }
  return std::move(out).Seal(key);
}

absl::StatusOr<CollectionConfig> DecodeConfig(absl::string_view key, absl::string_view value) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in,
                             Decoder::OpenAny("collection settings", key, value, kConfigFormat, kDeviceConfigFormat));
  CollectionConfig config;
  config.name = in.Text();
  config.model = in.Text();
  config.embedding_space = in.Text();
  config.token_space = in.Text();
  config.descriptor_dim = static_cast<int>(in.U32());
  config.keep_image = DecodeEnum(&in, KeepImage::kOriginal);
  config.index_kind = DecodeEnum(&in, IndexKind::kIvf);
  config.descriptor_precision = DecodeEnum(&in, DescriptorPrecision::kFloat16);
  config.drop_tokens = in.U8() != 0;
  config.hnsw_m = static_cast<int>(in.U32());
  config.hnsw_ef_construction = static_cast<int>(in.U32());
  config.ivf_lists = static_cast<int>(in.U32());
  config.description = in.Text();
  config.create_time = absl::FromUnixMicros(in.I64());
  bool changed = in.format() == kChangedConfigFormat;
  if (in.format() == kDeviceConfigFormat) {
    config.device = DecodeEnum(&in, IndexDevice::kCpu);
    changed = in.U8() != 0;
  }
  if (changed) {
    config.first_keep_image = DecodeEnum(&in, KeepImage::kOriginal);
    config.had_previews = in.U8() != 0;
    config.had_originals = in.U8() != 0;
  }
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  return config;
}

std::string EncodeCounters(absl::string_view key, const Counters& counters) {
  Encoder out(kCountersFormat);
  out.U64(counters.next_key);
  out.I64(counters.sequence);
  return std::move(out).Seal(key);
}

absl::StatusOr<Counters> DecodeCounters(absl::string_view key, absl::string_view value) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in, Decoder::Open("counters", key, value, kCountersFormat));
  Counters counters;
  counters.next_key = in.U64();
  counters.sequence = in.I64();
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  return counters;
}

std::string EncodeConfidence(absl::string_view key, const FittedConfidence& confidence) {
  const auto& [model, pairs, log_loss, expected_error, accuracy] = confidence.fit;
  const rerank::TransportOptions& transport = confidence.transport;
  Encoder out(kConfidenceFormat);
  for (const double value : {model.a, model.b, model.c, model.score_only_a, model.score_only_c}) out.F64(value);
  out.I64(pairs);
  for (const double value : {log_loss, expected_error, accuracy}) out.F64(value);
  for (const double value : {transport.epsilon, transport.mass, transport.temperature, transport.tolerance}) {
    out.F64(value);
  }
  out.U8(static_cast<uint8_t>(transport.marginals));
  out.U8(static_cast<uint8_t>(transport.stop));
  for (const int value : {transport.max_rounds, transport.query_cells, transport.result_cells}) {
    out.U32(static_cast<uint32_t>(value));
  }
  out.I64(absl::ToUnixMicros(confidence.fit_time));
  return std::move(out).Seal(key);
}

absl::StatusOr<FittedConfidence> DecodeConfidence(absl::string_view key, absl::string_view value) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in, Decoder::Open("confidence", key, value, kConfidenceFormat));
  FittedConfidence confidence;
  auto& [model, pairs, log_loss, expected_error, accuracy] = confidence.fit;
  rerank::TransportOptions& transport = confidence.transport;
  for (double* field : {&model.a, &model.b, &model.c, &model.score_only_a, &model.score_only_c}) *field = in.F64();
  pairs = in.I64();
  for (double* field : {&log_loss, &expected_error, &accuracy}) *field = in.F64();
  for (double* field : {&transport.epsilon, &transport.mass, &transport.temperature, &transport.tolerance}) {
    *field = in.F64();
  }
  transport.marginals = DecodeEnum(&in, rerank::Marginals::kImportance);
  transport.stop = DecodeEnum(&in, rerank::StopRule::kFixed);
  for (int* field : {&transport.max_rounds, &transport.query_cells, &transport.result_cells}) {
    *field = static_cast<int>(in.U32());
  }
  confidence.fit_time = absl::FromUnixMicros(in.I64());
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  return confidence;
}

std::string EncodeRecordKey(absl::string_view id, uint64_t record_key) {
  Encoder out(kRecordKeyFormat);
  out.U64(record_key);
  return std::move(out).Seal(id);
}

absl::StatusOr<uint64_t> DecodeRecordKey(absl::string_view id, absl::string_view value) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in, Decoder::Open("id", id, value, kRecordKeyFormat));
  const uint64_t record_key = in.U64();
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  return record_key;
}

std::string EncodeRequest(absl::string_view key, const StoredRequest& request) {
  Encoder out(kRequestFormat);
  out.I64(absl::ToUnixMicros(request.time));
  out.Text(request.id);
  out.I64(request.revision);
  return std::move(out).Seal(key);
}

absl::StatusOr<StoredRequest> DecodeRequest(absl::string_view key, absl::string_view value) {
  SIGHTLINE_ASSIGN_OR_RETURN(Decoder in, Decoder::Open("request id", key, value, kRequestFormat));
  StoredRequest request;
  request.time = absl::FromUnixMicros(in.I64());
  request.id = in.Text();
  request.revision = in.I64();
  SIGHTLINE_RETURN_IF_ERROR(in.Finish());
  return request;
}

}  // namespace sightline::index
