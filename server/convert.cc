#include "server/convert.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "server/services/field_checks.h"

namespace sightline::server {
namespace {

void ToProto(absl::Duration duration, google::protobuf::Duration* out) {
  const int64_t nanos = absl::ToInt64Nanoseconds(duration);
  out->set_seconds(nanos / 1'000'000'000);
  out->set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

void ToProto(const index::LayerBytes& bytes, v1::LayerBytes* out) {
  out->set_descriptors(bytes.descriptors);
  out->set_codes(bytes.codes);
  out->set_graph(bytes.graph);
  out->set_tokens(bytes.tokens);
  out->set_attributes(bytes.attributes);
  out->set_images(bytes.images);
  out->set_log(bytes.log);
  out->set_total(bytes.total());
}

}  // namespace

absl::StatusOr<index::Attributes> FromProto(const AttributeMap& attributes) {
  index::Attributes out;
  for (const auto& [key, value] : attributes) {
    switch (value.kind_case()) {
      case v1::AttributeValue::kStringValue: out[key] = value.string_value(); break;
      case v1::AttributeValue::kInt64Value: out[key] = value.int64_value(); break;
      case v1::AttributeValue::kDoubleValue: out[key] = value.double_value(); break;
      case v1::AttributeValue::kBoolValue: out[key] = value.bool_value(); break;
      case v1::AttributeValue::kStringList:
        out[key] = std::vector<std::string>(value.string_list().values().begin(), value.string_list().values().end());
        break;
      case v1::AttributeValue::KIND_NOT_SET:
        return base::InvalidArgument(
            "ATTRIBUTE_WITHOUT_VALUE",
            absl::StrCat("attribute '", key, "' has no value. Set one of its kinds, or leave the key out."),
            {{"field", "attributes"}, {"key", key}});
    }
  }
  return out;
}

void ToProto(const index::Attributes& attributes, AttributeMap* out) {
  for (const auto& [key, value] : attributes) ToProto(value, &(*out)[key]);
}

void ToProto(const index::AttributeValue& value, v1::AttributeValue* out) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    out->set_string_value(*text);
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    out->set_int64_value(*number);
  } else if (const auto* real = std::get_if<double>(&value)) {
    out->set_double_value(*real);
  } else if (const auto* flag = std::get_if<bool>(&value)) {
    out->set_bool_value(*flag);
  } else {
    const auto& list = std::get<std::vector<std::string>>(value);
    out->mutable_string_list()->mutable_values()->Add(list.begin(), list.end());
  }
}

image::CropBox FromProto(const v1::CropBox& box) {
  return {box.x0(), box.y0(), box.x1(), box.y1(),
          box.unit() == v1::CropBox::UNIT_PIXEL ? image::CropBox::Unit::kPixel : image::CropBox::Unit::kFraction};
}

absl::StatusOr<index::CollectionConfig> FromProto(const v1::CollectionSettings& settings) {
  using S = v1::CollectionSettings;
  index::CollectionConfig out;
  switch (settings.keep_image()) {
    case S::KEEP_IMAGE_UNSPECIFIED:
    case S::KEEP_IMAGE_PREVIEW: out.keep_image = index::KeepImage::kPreview; break;
    case S::KEEP_IMAGE_NONE: out.keep_image = index::KeepImage::kNone; break;
    case S::KEEP_IMAGE_ORIGINAL: out.keep_image = index::KeepImage::kOriginal; break;
    default: return UnknownEnum("settings.keep_image", settings.keep_image());
  }
  switch (settings.index_kind()) {
    case S::INDEX_KIND_UNSPECIFIED:
    case S::INDEX_KIND_AUTO: out.index_kind = index::IndexKind::kAuto; break;
    case S::INDEX_KIND_EXACT: out.index_kind = index::IndexKind::kExact; break;
    case S::INDEX_KIND_HNSW: out.index_kind = index::IndexKind::kHnsw; break;
    case S::INDEX_KIND_IVF: out.index_kind = index::IndexKind::kIvf; break;
    default: return UnknownEnum("settings.index_kind", settings.index_kind());
  }
  switch (settings.descriptor_precision()) {
    case S::DESCRIPTOR_PRECISION_UNSPECIFIED:
    case S::DESCRIPTOR_PRECISION_FLOAT32: out.descriptor_precision = index::DescriptorPrecision::kFloat32; break;
    case S::DESCRIPTOR_PRECISION_FLOAT16: out.descriptor_precision = index::DescriptorPrecision::kFloat16; break;
    default: return UnknownEnum("settings.descriptor_precision", settings.descriptor_precision());
  }
  switch (settings.device()) {
    case S::DEVICE_UNSPECIFIED:
    case S::DEVICE_AUTO: out.device = index::IndexDevice::kAuto; break;
    case S::DEVICE_CPU: out.device = index::IndexDevice::kCpu; break;
    default: return UnknownEnum("settings.device", settings.device());
  }
  constexpr size_t kMaxDescription = 1024;
  if (settings.description().size() > kMaxDescription) {
    return base::InvalidArgument("DESCRIPTION_TOO_LONG",
                                 absl::StrCat("settings.description has ", settings.description().size(),
                                              " bytes; the limit is ", kMaxDescription, ". Shorten it."),
                                 {{"field", "settings.description"},
                                  {"actual", absl::StrCat(settings.description().size())},
                                  {"limit", absl::StrCat(kMaxDescription)}});
  }
  out.drop_tokens = settings.drop_tokens();
  out.hnsw_m = settings.hnsw_m();
  out.hnsw_ef_construction = settings.hnsw_ef_construction();
  out.ivf_lists = settings.ivf_lists();
  out.description = settings.description();
  return out;
}

void ToProto(const index::rerank::TransportOptions& options, v1::RerankOptions* out) {
  using R = v1::RerankOptions;
  using index::rerank::Marginals;
  out->set_method(R::METHOD_OPTIMAL_TRANSPORT);
  out->set_mass(options.mass);
  out->set_epsilon(options.epsilon);
  out->set_temperature(options.temperature);
  switch (options.marginals) {
    case Marginals::kUniform: out->set_marginals(R::MARGINALS_UNIFORM); break;
    case Marginals::kCrossCorrelation: out->set_marginals(R::MARGINALS_CROSS_CORRELATION); break;
    case Marginals::kInverse: out->set_marginals(R::MARGINALS_INVERSE); break;
    case Marginals::kMinus: out->set_marginals(R::MARGINALS_MINUS); break;
    case Marginals::kSoftmax: out->set_marginals(R::MARGINALS_SOFTMAX); break;
    case Marginals::kImportance: out->set_marginals(R::MARGINALS_IMPORTANCE); break;
  }
  out->set_query_cells(options.query_cells);
  out->set_result_cells(options.result_cells);
}

void ToProto(const index::FittedConfidence& confidence, v1::ConfidenceModel* out) {
  const auto& [model, pairs, log_loss, expected_error, accuracy] = confidence.fit;
  out->set_a(model.a);
  out->set_b(model.b);
  out->set_c(model.c);
  out->set_score_only_a(model.score_only_a);
  out->set_score_only_c(model.score_only_c);
  out->set_pairs(pairs);
  out->set_log_loss(log_loss);
  out->set_expected_error(expected_error);
  out->set_accuracy(accuracy);
  ToProto(confidence.transport, out->mutable_rerank());
  ToProto(confidence.fit_time, out->mutable_fit_time());
}

void ToProto(const index::Collection& collection, v1::Collection* out) {
  using S = v1::CollectionSettings;
  const index::CollectionConfig config = collection.config();
  const index::CollectionStats stats = collection.Stats();
  out->set_name(config.name);
  out->set_model(config.model);
  out->set_embedding_space(config.embedding_space);
  out->set_token_space(config.token_space);
  out->set_descriptor_dim(config.descriptor_dim);
  S* settings = out->mutable_settings();
  switch (config.keep_image) {
    case index::KeepImage::kNone: settings->set_keep_image(S::KEEP_IMAGE_NONE); break;
    case index::KeepImage::kPreview: settings->set_keep_image(S::KEEP_IMAGE_PREVIEW); break;
    case index::KeepImage::kOriginal: settings->set_keep_image(S::KEEP_IMAGE_ORIGINAL); break;
  }
  switch (config.index_kind) {
    case index::IndexKind::kAuto: settings->set_index_kind(S::INDEX_KIND_AUTO); break;
    case index::IndexKind::kExact: settings->set_index_kind(S::INDEX_KIND_EXACT); break;
    case index::IndexKind::kHnsw: settings->set_index_kind(S::INDEX_KIND_HNSW); break;
    case index::IndexKind::kIvf: settings->set_index_kind(S::INDEX_KIND_IVF); break;
  }
  settings->set_descriptor_precision(config.descriptor_precision == index::DescriptorPrecision::kFloat16
                                         ? S::DESCRIPTOR_PRECISION_FLOAT16
                                         : S::DESCRIPTOR_PRECISION_FLOAT32);
  settings->set_device(config.device == index::IndexDevice::kCpu ? S::DEVICE_CPU : S::DEVICE_AUTO);
  settings->set_drop_tokens(config.drop_tokens);
  settings->set_hnsw_m(config.hnsw_m);
  settings->set_hnsw_ef_construction(config.hnsw_ef_construction);
  settings->set_ivf_lists(config.ivf_lists);
  settings->set_description(config.description);
  ToProto(config.create_time, out->mutable_create_time());
  v1::CollectionStats* target = out->mutable_stats();
  target->set_images(stats.images);
  target->set_deleted_images(stats.deleted_images);
  target->set_sequence(stats.sequence);
  ToProto(stats.memory, target->mutable_memory());
  ToProto(stats.disk, target->mutable_disk());
  target->set_index_choice(stats.index_choice);
  target->set_segments(stats.segments);
  target->set_tail_images(stats.tail_images);
  target->set_graph_backlog(stats.graph_backlog);
  target->set_card_images(stats.card_images);
  target->set_card_bytes(stats.card_bytes);
  target->set_card_scans(stats.card_scans);
  out->set_read_only(stats.read_only);
  out->set_read_only_reason(stats.read_only_reason);
  if (const auto confidence = collection.Confidence()) ToProto(*confidence, out->mutable_confidence());
}

void ToProto(const index::Record& record, const index::CollectionConfig& config, v1::ImageRecord* out) {
  out->set_id(record.id);
  ToProto(record.attributes, out->mutable_attributes());
  out->set_source_uri(record.source_uri);
  out->set_revision(record.revision);
  ToProto(record.create_time, out->mutable_create_time());
  ToProto(record.update_time, out->mutable_update_time());
  out->set_width(record.width);
  out->set_height(record.height);
  out->set_sha256(record.sha256);
  out->set_image(record.image);
  out->set_image_mime_type(record.image_mime_type);
  if (!record.descriptor.empty()) {
    out->mutable_global_descriptor()->mutable_values()->Add(record.descriptor.begin(), record.descriptor.end());
    out->mutable_global_descriptor()->set_embedding_space(config.embedding_space);
  }
  if (record.tokens) ToProto(*record.tokens, config.token_space, out->mutable_tokens());
  if (record.crop) {
    v1::CropBox* const crop = out->mutable_crop();
    crop->set_x0(record.crop->x0);
    crop->set_y0(record.crop->y0);
    crop->set_x1(record.crop->x1);
    crop->set_y1(record.crop->y1);
    crop->set_unit(record.crop->in_pixels ? v1::CropBox::UNIT_PIXEL : v1::CropBox::UNIT_FRACTION);
  }
}

void ToProto(const index::OtherSpace& other, v1::OtherSpace* out) {
  out->set_state(other.previous ? v1::OtherSpace::STATE_PREVIOUS : v1::OtherSpace::STATE_FILLING);
  out->set_model(other.model);
  out->set_embedding_space(other.embedding_space);
  out->set_descriptor_dim(other.descriptor_dim);
  out->set_images(other.images);
  if (other.previous) ToProto(other.drop_time, out->mutable_drop_time());
}

index::RecordCrop FromCrop(const image::CropBox& box) {
  return {
      .in_pixels = box.unit == image::CropBox::Unit::kPixel, .x0 = box.x0, .y0 = box.y0, .x1 = box.x1, .y1 = box.y1};
}

void ToProto(const index::SnapshotInfo& info, v1::Snapshot* out) {
  out->set_name(info.name);
  out->set_collection(info.collection);
  out->set_sequence(info.sequence);
  out->set_images(info.images);
  out->set_size_bytes(info.size_bytes);
  out->set_sha256(info.sha256);
  ToProto(info.create_time, out->mutable_create_time());
}

void ToProto(const model::RerankDefaults& rerank, v1::RerankOptions* out) {
  using R = v1::RerankOptions;
  using M = model::RerankDefaults;
  switch (rerank.method) {
    case M::Method::kOff: out->set_method(R::METHOD_OFF); break;
    case M::Method::kOptimalTransport: out->set_method(R::METHOD_OPTIMAL_TRANSPORT); break;
  }
  switch (rerank.marginals) {
    case M::Marginals::kUniform: out->set_marginals(R::MARGINALS_UNIFORM); break;
    case M::Marginals::kCrossCorrelation: out->set_marginals(R::MARGINALS_CROSS_CORRELATION); break;
    case M::Marginals::kInverse: out->set_marginals(R::MARGINALS_INVERSE); break;
    case M::Marginals::kMinus: out->set_marginals(R::MARGINALS_MINUS); break;
    case M::Marginals::kSoftmax: out->set_marginals(R::MARGINALS_SOFTMAX); break;
    case M::Marginals::kImportance: out->set_marginals(R::MARGINALS_IMPORTANCE); break;
  }
  out->set_mass(rerank.mass);
  out->set_epsilon(rerank.epsilon);
  out->set_temperature(rerank.temperature);
  out->set_weight(rerank.weight);
}

void ToProto(const ServedModel& model, v1::Model* out) {
  const model::ModelInfo& info = model.info();
  out->set_name(info.name);
  out->set_architecture(info.architecture);
  out->set_state(v1::Model::STATE_READY);
  out->set_embedding_space(info.embedding_space);
  out->set_token_space(info.token_space);
  out->set_descriptor_dim(info.descriptor_dim);
  out->set_token_dim(info.token_dim);
  out->set_max_token_cells(info.max_token_cells);
  out->set_parameters(info.parameters);
  out->mutable_scales()->Add(info.scales.begin(), info.scales.end());
  out->set_image_size(info.image_size);
  out->set_untrained(info.untrained);
  out->set_numeric(info.numeric);
  out->set_provenance(info.provenance);
  ToProto(info.rerank, out->mutable_rerank());
  const ServedModel::Start& start = model.start();
  ToProto(start.time, out->mutable_load_time());
  out->set_load_milliseconds(start.load_milliseconds);
  out->set_warm_up_milliseconds(start.warm_up_milliseconds);
  out->set_warm_sizes(start.warm_sizes);
  out->set_sizes(start.sizes);
}

void ToProto(const ModelHub::Known& known, v1::Model* out) {
  if (known.model != nullptr) {
    ToProto(*known.model, out);
  } else {
    out->set_name(known.name);
    out->set_state(known.loading        ? v1::Model::STATE_LOADING
                   : known.refused.ok() ? v1::Model::STATE_AVAILABLE
                                        : v1::Model::STATE_FAILED);
  }
  out->set_error(std::string(known.refused.message()));
}

void ToProto(const model::ModelInfo& info, v1::ModelUse* out) {
  out->set_model(info.name);
  out->set_embedding_space(info.embedding_space);
  out->set_untrained(info.untrained);
  out->set_numeric(info.numeric);
}

void ToProto(const Limits& limits, v1::Limits* out) {
  out->set_max_message_bytes(limits.max_message_bytes);
  out->set_max_image_bytes(limits.image.max_encoded_bytes);
  out->set_max_pixels(limits.image.max_pixels);
  out->set_max_image_side(limits.image.max_side);
  out->set_max_top_k(limits.max_top_k);
  out->set_max_result_window(limits.max_result_window);
  out->set_max_attributes(limits.record.max_attributes);
  out->set_max_attribute_bytes(limits.record.max_attribute_bytes);
  out->set_max_id_bytes(limits.record.max_id_bytes);
  out->set_max_delete_ids(limits.max_delete_ids);
  out->set_max_in_flight(limits.max_in_flight);
  out->set_max_queue(limits.max_queue);
  out->set_max_models(limits.max_models);
  out->set_max_batch(limits.max_batch);
  ToProto(limits.max_batch_delay, out->mutable_max_batch_delay());
  ToProto(limits.max_queue_delay, out->mutable_max_queue_delay());
  out->set_decode_memory_bytes(limits.decode_memory_bytes);
  ToProto(limits.decode_timeout, out->mutable_decode_timeout());
  out->set_grpc_memory_bytes(limits.grpc_memory_bytes);
  out->set_max_connections(limits.max_connections);
  out->set_max_connections_per_address(limits.max_connections_per_address);
  ToProto(limits.default_deadline, out->mutable_default_deadline());
  ToProto(limits.drain_grace, out->mutable_drain_grace());
  out->set_max_stream_in_flight(limits.max_stream_in_flight);
  ToProto(limits.request_id_retention, out->mutable_request_id_retention());
  out->set_max_descriptor_dim(limits.record.max_descriptor_dim);
  out->set_memory_budget_bytes(limits.memory_budget_bytes);
  out->set_search_parallelism(limits.search_parallelism);
  out->set_build_threads(limits.build_threads);
}

void ToProto(absl::Time time, google::protobuf::Timestamp* out) {
  const int64_t seconds = absl::ToUnixSeconds(time);
  out->set_seconds(seconds);
  out->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(seconds))));
}

void StagesToProto(const Request& request, google::protobuf::RepeatedPtrField<v1::StageTime>* out) {
  for (const Stage& stage : request.stages()) {
    v1::StageTime* target = out->Add();
    target->set_stage(stage.name);
    target->set_milliseconds(stage.milliseconds);
    target->set_batch_size(stage.batch_size);
  }
  v1::StageTime* total = out->Add();
  total->set_stage("total");
  total->set_milliseconds(request.ElapsedMilliseconds());
}

}  // namespace sightline::server
