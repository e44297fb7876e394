// Every RPC with inputs it must refuse: the code, the reason and two sentences, the code one that the RPC's own comment
// promises, and the server alive afterwards.
#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "tests/e2e/refusals.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

void AddSearchCases(Cases& cases) {
  using R = v1::SearchRequest;
  const auto add = [&](const std::string& name, const std::string& reason, const std::function<void(R&)>& change,
                       absl::StatusCode code = kInvalid) { cases.Search<R>(name, reason, change, code); };
  add("no collection", "FIELD_MISSING", [](R& r) { r.clear_collection(); });
  add(
      "unknown collection", "COLLECTION_NOT_FOUND", [](R& r) { r.set_collection("nowhere"); }, kNotFound);
  add(
      "a path as collection", "COLLECTION_NOT_FOUND", [](R& r) { r.set_collection("../../etc/passwd"); }, kNotFound);
  add("no query", "QUERY_MISSING", [](R& r) { r.clear_query(); });
  add("an empty part", "QUERY_PART_EMPTY", [](R& r) { r.mutable_query()->add_parts(); });
  add("too many parts", "VALUE_OUT_OF_RANGE", [](R& r) {
    while (r.query().parts_size() < 17) *r.mutable_query()->add_parts() = r.query().parts(0);
  });
  add("top_k -1", "VALUE_OUT_OF_RANGE", [](R& r) { r.set_top_k(-1); });
  add("top_k 1001", "VALUE_OUT_OF_RANGE", [](R& r) { r.set_top_k(1001); });
  add("top_k of 32 bits", "VALUE_OUT_OF_RANGE", [](R& r) { r.set_top_k(std::numeric_limits<int32_t>::max()); });
  add("offset -1", "VALUE_OUT_OF_RANGE", [](R& r) { r.set_offset(-1); });
  add("offset beyond the window", "VALUE_OUT_OF_RANGE", [](R& r) { r.set_offset(9'991); });
  add("offset of 32 bits", "VALUE_OUT_OF_RANGE", [](R& r) { r.set_offset(std::numeric_limits<int32_t>::max()); });
  add("min_score NaN", "VALUE_NOT_FINITE", [](R& r) { r.set_min_score(kNan); });
  add("ef_search 0", "VALUE_OUT_OF_RANGE", [](R& r) { r.set_ef_search(0); });
  add("nprobe -1", "VALUE_OUT_OF_RANGE", [](R& r) { r.set_nprobe(-1); });
  add("a long request_id", "VALUE_OUT_OF_RANGE", [](R& r) { r.set_request_id(std::string(129, 'x')); });
  add("weight NaN", "WEIGHT_INVALID", [](R& r) { r.mutable_query()->mutable_parts(0)->set_weight(kNan); });
  add("weight 0", "WEIGHT_INVALID", [](R& r) { r.mutable_query()->mutable_parts(0)->set_weight(0); });
  add("weight infinite", "WEIGHT_INVALID", [](R& r) { r.mutable_query()->mutable_parts(0)->set_weight(kInfinity); });
  add("parts that cancel out", "QUERY_CANCELS_OUT", [](R& r) {
    *r.mutable_query()->add_parts() = r.query().parts(0);
    r.mutable_query()->mutable_parts(1)->set_weight(-1);
  });
  add("a crop without an image", "CROP_WITHOUT_IMAGE", [](R& r) { r.mutable_query()->mutable_parts(0)->add_crops(); });
  add(
      "an unknown id", "IMAGE_NOT_FOUND", [](R& r) { r.mutable_query()->mutable_parts(0)->set_id("nobody"); },
      kNotFound);
  add(
      "an image without a model", "COLLECTION_HAS_NO_MODEL",
      [](R& r) { r.mutable_query()->mutable_parts(0)->set_image("garbage"); }, kPrecondition);
  const auto vector = [](R& r) { return r.mutable_query()->mutable_parts(0)->mutable_global_descriptor(); };
  add("a short descriptor", "DESCRIPTOR_DIM_MISMATCH", [&](R& r) { vector(r)->mutable_values()->RemoveLast(); });
  add("a long descriptor", "DESCRIPTOR_DIM_MISMATCH", [&](R& r) { vector(r)->add_values(1); });
  add("a huge descriptor", "DESCRIPTOR_DIM_MISMATCH", [&](R& r) { vector(r)->mutable_values()->Resize(1 << 20, 1); });
  add("an empty descriptor", "DESCRIPTOR_DIM_MISMATCH", [&](R& r) { vector(r)->clear_values(); });
  add("a descriptor with NaN", "DESCRIPTOR_INVALID", [&](R& r) { vector(r)->set_values(3, kNan); });
  add("a descriptor with infinity", "DESCRIPTOR_INVALID", [&](R& r) { vector(r)->set_values(3, -kInfinity); });
  add("a descriptor of zeros", "DESCRIPTOR_INVALID", [&](R& r) { vector(r)->set_values(0, 0); });
  add(
      "another space", "EMBEDDING_SPACE_MISMATCH", [&](R& r) { vector(r)->set_embedding_space("other"); },
      kPrecondition);
  add(
      "no space", "EMBEDDING_SPACE_MISMATCH", [&](R& r) { vector(r)->clear_embedding_space(); }, kPrecondition);
  add("min_confidence above 1", "VALUE_OUT_OF_RANGE", [](R& r) { r.set_min_confidence(1.5); });
  add("min_confidence that is no number", "VALUE_NOT_FINITE", [](R& r) { r.set_min_confidence(kNan); });
  add(
      "min_confidence without a fit", "CONFIDENCE_NOT_FITTED", [](R& r) { r.set_min_confidence(0.5); }, kPrecondition);
}

void AddIndexCases(Cases& cases) {
  using R = v1::IndexRequest;
  const auto add = [&](const std::string& name, const std::string& reason, const std::function<void(R&)>& change,
                       absl::StatusCode code = kInvalid) {
    R request = NewImage("refused", {1, 0, 0, 0});
    change(request);
    cases.Add("Index", name, reason, code,
              [request](const Rpc& rpc) { return Call(*rpc.index, &v1::IndexService::Stub::Index, request); });
    // The same through the stream, where it is the item's status.
    cases.Add("IndexStream", name, reason, code, [request](const Rpc& rpc) {
      grpc::ClientContext context;
      Rpc::SetDeadline(context);
      const auto stream = rpc.index->IndexStream(&context);
      v1::IndexStreamRequest message;
      *message.mutable_request() = request;
      if (request.request_id().empty()) message.mutable_request()->set_request_id("r");
      stream->Write(message);
      stream->WritesDone();
      v1::IndexStreamResponse reply;
      absl::Status status =
          stream->Read(&reply) ? client::FromRpcStatus(reply.status()) : absl::UnknownError("no reply");
      EXPECT_EQ(reply.request_id(), message.request().request_id());
      EXPECT_TRUE(stream->Finish().ok()) << "the stream goes on";
      return status;
    });
  };
  const auto item = [](R& r) { return r.mutable_item(); };
  const auto attribute = [](R& r, const std::string& key) -> v1::AttributeValue& {
    return (*r.mutable_item()->mutable_attributes())[key];
  };
  add("no collection", "FIELD_MISSING", [](R& r) { r.clear_collection(); });
  add(
      "unknown collection", "COLLECTION_NOT_FOUND", [](R& r) { r.set_collection("nowhere"); }, kNotFound);
  add("no item", "FIELD_MISSING", [](R& r) { r.clear_item(); });
  add("a long id", "ID_INVALID", [&](R& r) { item(r)->set_id(std::string(513, 'x')); });
  add("an id with a control character", "ID_INVALID", [&](R& r) { item(r)->set_id("a\nb"); });
  add("an id with NUL", "ID_INVALID", [&](R& r) { item(r)->set_id(std::string("a\0b", 3)); });
  add("a long request_id", "REQUEST_ID_INVALID", [](R& r) { r.set_request_id(std::string(129, 'x')); });
  add("a long source_uri", "SOURCE_URI_INVALID", [&](R& r) { item(r)->set_source_uri(std::string(2049, 'x')); });
  add(
      "an image without a model", "COLLECTION_HAS_NO_MODEL", [&](R& r) { item(r)->set_image("\xFF\xD8 garbage"); },
      kPrecondition);
  add("a crop without an image", "CROP_WITHOUT_IMAGE", [&](R& r) { item(r)->mutable_crop()->set_x0(kNan); });
  add("a short descriptor", "DESCRIPTOR_DIM_MISMATCH",
      [&](R& r) { item(r)->mutable_global_descriptor()->mutable_values()->RemoveLast(); });
  add("a descriptor with NaN", "DESCRIPTOR_INVALID",
      [&](R& r) { item(r)->mutable_global_descriptor()->set_values(0, kNan); });
  add("a descriptor of zeros", "DESCRIPTOR_INVALID",
      [&](R& r) { item(r)->mutable_global_descriptor()->set_values(0, 0); });
  add(
      "another space", "EMBEDDING_SPACE_MISMATCH",
      [&](R& r) { item(r)->mutable_global_descriptor()->set_embedding_space("other"); }, kPrecondition);
  add("65 attributes", "TOO_MANY_ATTRIBUTES", [&](R& r) {
    for (int i = 0; i < 65; ++i) attribute(r, absl::StrCat("k", i)).set_bool_value(true);
  });
  add("attributes of 9 KiB", "ATTRIBUTES_TOO_LARGE",
      [&](R& r) { attribute(r, "k").set_string_value(std::string(9 << 10, 'x')); });
  add("an attribute without a value", "ATTRIBUTE_WITHOUT_VALUE", [&](R& r) { attribute(r, "k"); });
  add("an attribute that is NaN", "ATTRIBUTE_INVALID", [&](R& r) { attribute(r, "k").set_double_value(kNan); });
  add("an empty attribute key", "ATTRIBUTE_INVALID", [&](R& r) { attribute(r, "").set_bool_value(true); });
  add("a long attribute key", "ATTRIBUTE_INVALID",
      [&](R& r) { attribute(r, std::string(65, 'k')).set_bool_value(true); });
  const auto tokens = [&](R& r) {
    auto* t = item(r)->mutable_tokens();
    t->set_height(1);
    t->set_width(2);
    t->set_dim(3);
    t->set_values(std::string(6, '\x01'));
    t->mutable_scales()->Resize(2, 1);
    t->mutable_importance()->Resize(2, 0.5f);
    t->mutable_centre()->Resize(3, 1);
    t->set_token_space("space");
    return t;
  };
  add(
      "tokens of another space", "TOKEN_SPACE_MISMATCH", [&](R& r) { tokens(r)->set_token_space("other"); },
      kPrecondition);
  add("tokens with too few values", "TOKENS_INVALID", [&](R& r) { tokens(r)->set_values("12345"); });
  add("tokens of a negative shape", "TOKENS_INVALID", [&](R& r) { tokens(r)->set_height(-1); });
  add("tokens of a shape that overflows", "TOKENS_INVALID", [&](R& r) {
    tokens(r)->set_height(1 << 30);
    item(r)->mutable_tokens()->set_width(1 << 30);
  });
  add("tokens of half a value", "TOKENS_INVALID", [&](R& r) {
    tokens(r)->set_precision(v1::PatchTokens::PRECISION_FLOAT16);
    item(r)->mutable_tokens()->set_values("123");
  });
  add("tokens in float32 with scales", "TOKENS_INVALID", [&](R& r) {
    tokens(r)->set_precision(v1::PatchTokens::PRECISION_FLOAT32);
    item(r)->mutable_tokens()->set_values(std::string(24, '\0'));
  });
  add("tokens with a NaN scale", "TOKENS_INVALID", [&](R& r) { tokens(r)->set_scales(0, kNan); });
  add("importance that is no distribution", "TOKENS_INVALID", [&](R& r) { tokens(r)->set_importance(0, 5); });
}

void AddReadAndDeleteCases(Cases& cases) {
  const auto get = [&](const std::string& name, const std::string& reason, const std::string& collection,
                       const std::string& id, int view, absl::StatusCode code = kInvalid) {
    v1::GetImageRequest request;
    request.set_collection(collection);
    request.set_id(id);
    request.set_view(static_cast<v1::ImageView>(view));
    cases.Add("GetImage", name, reason, code,
              [request](const Rpc& rpc) { return Call(*rpc.index, &v1::IndexService::Stub::GetImage, request); });
  };
  get("no collection", "FIELD_MISSING", "", "a", 1);
  get("no id", "FIELD_MISSING", "v", "", 1);
  get("unknown collection", "COLLECTION_NOT_FOUND", "nowhere", "a", 1, kNotFound);
  get("unknown id", "IMAGE_NOT_FOUND", "v", "nobody", 1, kNotFound);
  get("a view nobody knows", "ENUM_VALUE_UNKNOWN", "v", "a", 99);
  get("an original that is not kept", "IMAGE_NOT_KEPT", "v", "a", v1::IMAGE_VIEW_ORIGINAL, kPrecondition);

  const auto list = [&](const std::string& name, const std::string& reason,
                        const std::function<void(v1::ListImagesRequest&)>& change, absl::StatusCode code = kInvalid) {
    v1::ListImagesRequest request;
    request.set_collection("v");
    change(request);
    cases.Add("ListImages", name, reason, code,
              [request](const Rpc& rpc) { return Call(*rpc.index, &v1::IndexService::Stub::ListImages, request); });
  };
  using L = v1::ListImagesRequest;
  list("no collection", "FIELD_MISSING", [](L& r) { r.clear_collection(); });
  list(
      "unknown collection", "COLLECTION_NOT_FOUND", [](L& r) { r.set_collection("nowhere"); }, kNotFound);
  list("page_size -1", "VALUE_OUT_OF_RANGE", [](L& r) { r.set_page_size(-1); });
  list("page_size 1001", "VALUE_OUT_OF_RANGE", [](L& r) { r.set_page_size(1001); });
  list("a garbage page token", "PAGE_TOKEN_INVALID", [](L& r) { r.set_page_token("garbage"); });
  list("a huge page token", "PAGE_TOKEN_INVALID", [](L& r) { r.set_page_token(std::string(1 << 20, '9')); });
  list("a view that is not listed", "VIEW_NOT_LISTED", [](L& r) { r.set_view(v1::IMAGE_VIEW_ORIGINAL); });

  const auto remove = [&](const std::string& name, const std::string& reason,
                          const std::function<void(v1::DeleteImagesRequest&)>& change,
                          absl::StatusCode code = kInvalid) {
    v1::DeleteImagesRequest request;
    request.set_collection("v");
    change(request);
    cases.Add("DeleteImages", name, reason, code,
              [request](const Rpc& rpc) { return Call(*rpc.index, &v1::IndexService::Stub::DeleteImages, request); });
  };
  using D = v1::DeleteImagesRequest;
  remove("no ids", "FIELD_MISSING", [](D&) {});
  remove(
      "unknown collection", "COLLECTION_NOT_FOUND", [](D& r) { r.set_collection("nowhere"), r.add_ids("a"); },
      kNotFound);
  remove("10,001 ids", "TOO_MANY_IDS", [](D& r) {
    for (int i = 0; i <= 10'000; ++i) r.add_ids("x");
  });

  const auto update = [&](const std::string& name, const std::string& reason,
                          const std::function<void(v1::UpdateAttributesRequest&)>& change,
                          absl::StatusCode code = kInvalid) {
    v1::UpdateAttributesRequest request;
    request.set_collection("v");
    request.set_id("a");
    change(request);
    cases.Add("UpdateAttributes", name, reason, code, [request](const Rpc& rpc) {
      return Call(*rpc.index, &v1::IndexService::Stub::UpdateAttributes, request);
    });
  };
  using U = v1::UpdateAttributesRequest;
  update("nothing to do", "FIELD_MISSING", [](U&) {});
  update("no id", "FIELD_MISSING", [](U& r) { r.clear_id(); });
  update(
      "unknown id", "IMAGE_NOT_FOUND", [](U& r) { r.set_id("nobody"), r.set_replace(true); }, kNotFound);
  update("NaN", "ATTRIBUTE_INVALID", [](U& r) { (*r.mutable_set())["k"].set_double_value(kNan); });
  update("a value too large", "ATTRIBUTES_TOO_LARGE",
         [](U& r) { (*r.mutable_set())["k"].set_string_value(std::string(9 << 10, 'x')); });
}

void AddCollectionCases(Cases& cases) {
  using R = v1::CreateCollectionRequest;
  const auto add = [&](const std::string& name, const std::string& reason, const std::function<void(R&)>& change,
                       absl::StatusCode code = kInvalid) {
    R request = NewCollection("refused");
    change(request);
    cases.Add("CreateCollection", name, reason, code, [request](const Rpc& rpc) {
      return Call(*rpc.collections, &v1::CollectionService::Stub::CreateCollection, request);
    });
  };
  for (const std::string name : {"", "UPPER", "-dash-first", "a b", "../up", "a/b", "\x01"}) {
    add(absl::StrCat("the name \"", name, "\""), "COLLECTION_NAME_INVALID", [&](R& r) { r.set_name(name); });
  }
  add("a long name", "COLLECTION_NAME_INVALID", [](R& r) { r.set_name(std::string(65, 'x')); });
  add(
      "a name that is taken", "COLLECTION_EXISTS", [](R& r) { r.set_name("v"); }, absl::StatusCode::kAlreadyExists);
  add("a model and a space", "MODEL_AND_SPACE", [](R& r) { r.set_model("m"); });
  add("a dimension without a space", "EMBEDDING_SPACE_MISSING", [](R& r) { r.clear_embedding_space(); });
  add("a long space", "EMBEDDING_SPACE_TOO_LONG", [](R& r) { r.set_embedding_space(std::string(129, 'x')); });
  add("dimension 0", "DESCRIPTOR_DIM_OUT_OF_RANGE", [](R& r) { r.set_descriptor_dim(0); });
  add("dimension -1", "DESCRIPTOR_DIM_OUT_OF_RANGE", [](R& r) { r.set_descriptor_dim(-1); });
  add("dimension 8193", "DESCRIPTOR_DIM_OUT_OF_RANGE", [](R& r) { r.set_descriptor_dim(8193); });
  add("a long description", "DESCRIPTION_TOO_LONG",
      [](R& r) { r.mutable_settings()->set_description(std::string(1025, 'x')); });
  for (const int32_t value : {-1, 3, 65, std::numeric_limits<int32_t>::max()}) {
    add(absl::StrCat("hnsw_m ", value), "SETTING_OUT_OF_RANGE", [&](R& r) { r.mutable_settings()->set_hnsw_m(value); });
  }
  for (const int32_t value : {-1, 15, 1001, std::numeric_limits<int32_t>::max()}) {
    add(absl::StrCat("hnsw_ef_construction ", value), "SETTING_OUT_OF_RANGE",
        [&](R& r) { r.mutable_settings()->set_hnsw_ef_construction(value); });
  }
  for (const int32_t value : {-1, 65'537, std::numeric_limits<int32_t>::min()}) {
    add(absl::StrCat("ivf_lists ", value), "SETTING_OUT_OF_RANGE",
        [&](R& r) { r.mutable_settings()->set_ivf_lists(value); });
  }
  add("an index nobody knows", "ENUM_VALUE_UNKNOWN",
      [](R& r) { r.mutable_settings()->set_index_kind(static_cast<v1::CollectionSettings::IndexKind>(99)); });
  const auto model_only = [](R& r) { r.clear_embedding_space(), r.clear_descriptor_dim(); };
  add(
      "a model that is not loaded", "NO_MODEL_LOADED", [&](R& r) { model_only(r), r.set_model("nobody"); },
      kPrecondition);
  add("no model loaded at all", "NO_MODEL_LOADED", model_only, kPrecondition);

  for (const std::string name : {"nowhere", "../v", ""}) {
    v1::GetCollectionRequest get;
    get.set_name(name);
    cases.Add(
        "GetCollection", absl::StrCat("the name \"", name, "\""),
        name.empty() ? "FIELD_MISSING" : "COLLECTION_NOT_FOUND", name.empty() ? kInvalid : kNotFound,
        [get](const Rpc& rpc) { return Call(*rpc.collections, &v1::CollectionService::Stub::GetCollection, get); });
    v1::DeleteCollectionRequest remove;
    remove.set_name(name);
    cases.Add("DeleteCollection", absl::StrCat("the name \"", name, "\""),
              name.empty() ? "FIELD_MISSING" : "COLLECTION_NOT_FOUND", name.empty() ? kInvalid : kNotFound,
              [remove](const Rpc& rpc) {
                return Call(*rpc.collections, &v1::CollectionService::Stub::DeleteCollection, remove);
              });
  }
  const auto list = [&](const std::string& name, const std::string& reason, int page_size, const std::string& token) {
    v1::ListCollectionsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    cases.Add("ListCollections", name, reason, kInvalid, [request](const Rpc& rpc) {
      return Call(*rpc.collections, &v1::CollectionService::Stub::ListCollections, request);
    });
  };
  list("page_size -1", "VALUE_OUT_OF_RANGE", -1, "");
  list("page_size 1001", "VALUE_OUT_OF_RANGE", 1001, "");
  list("a garbage page token", "PAGE_TOKEN_INVALID", 0, "garbage");
  list("a page token with a path", "PAGE_TOKEN_INVALID", 0, "after:../../etc");
}

void AddEmbedCases(Cases& cases) {
  const auto add = [&](const std::string& name, const std::string& model, const std::string& reason) {
    v1::EmbedRequest request;
    request.set_model(model);
    request.set_image("garbage");
    cases.Add("Embed", name, reason, kPrecondition,
              [request](const Rpc& rpc) { return Call(*rpc.search, &v1::SearchService::Stub::Embed, request); });
  };
  add("a model that is not loaded", "nobody", "NO_MODEL_LOADED");
  add("no model loaded at all", "", "NO_MODEL_LOADED");
}

class BadInputTest : public ServerFixture {};

TEST_F(BadInputTest, EveryRefusalIsTyped) {
  Cases cases;
  AddSearchCases(cases);
  AddIndexCases(cases);
  AddReadAndDeleteCases(cases);
  AddCollectionCases(cases);
  AddEmbedCases(cases);
  ExpectTyped(cases, *rpc_, *server_);
  EXPECT_EQ(client_->Search(NewSearch({1, 0, 0, 0}))->results_size(), 2) << "nothing that was refused was written";
  EXPECT_EQ(client_->ListAllCollections()->size(), 1u);
}

// "A key is 1 to 64 characters of letters, digits, '_', '-' and '.', starting with a letter", says ImageItem.
TEST_F(BadInputTest, AttributeKeysFollowTheirGrammar) {
  for (const std::string key : {"a b", "1a", "_a", "-a", ".a", "a=b", "a\"b", "caf\xC3\xA9"}) {
    v1::IndexRequest request = NewImage("refused", {1, 0, 0, 0});
    (*request.mutable_item()->mutable_attributes())[key].set_bool_value(true);
    const absl::Status status = Call(*rpc_->index, &v1::IndexService::Stub::Index, request);
    EXPECT_EQ(base::GetErrorInfo(status).reason, "ATTRIBUTE_INVALID") << key << ": " << status;
  }
  v1::DeleteImagesRequest remove;
  remove.set_collection("v");
  remove.add_ids("refused");
  EXPECT_EQ(client_->DeleteImages(remove)->deleted(), 0);
}

TEST_F(BadInputTest, AStreamItemNeedsARequestId) {
  grpc::ClientContext context;
  Rpc::SetDeadline(context);
  const auto stream = rpc_->index->IndexStream(&context);
  ASSERT_TRUE(stream->Write(v1::IndexStreamRequest()));
  v1::IndexStreamRequest good;
  *good.mutable_request() = NewImage("a", {1, 0, 0, 0});
  good.mutable_request()->set_request_id("good");
  ASSERT_TRUE(stream->Write(good));
  stream->WritesDone();
  std::vector<absl::Status> replies;
  for (v1::IndexStreamResponse reply; stream->Read(&reply);) replies.push_back(client::FromRpcStatus(reply.status()));
  EXPECT_TRUE(stream->Finish().ok());
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_EQ(base::GetErrorInfo(replies[0].ok() ? replies[1] : replies[0]).reason, "REQUEST_ID_MISSING");
}

// gRPC itself refuses these, before any code of ours: there is no ErrorInfo, and the call must still fail cleanly.
TEST_F(BadInputTest, WhatIsNoMessageIsRefusedByTheTransport) {
  const auto large =
      Call(*rpc_->index, &v1::IndexService::Stub::Index, NewImage(std::string(41 << 20, 'x'), {1, 0, 0, 0}));
  EXPECT_EQ(large.code(), absl::StatusCode::kResourceExhausted) << large;
  for (const std::string id : {"\xFF\xFE", "\xC0\xAF", "\xED\xA0\x80"}) {
    EXPECT_FALSE(Call(*rpc_->index, &v1::IndexService::Stub::Index, NewImage(id, {1, 0, 0, 0})).ok());
  }
  ASSERT_TRUE(server_->Running()) << server_->Log();
  EXPECT_TRUE(client_->GetServerInfo().ok());
}

TEST_F(BadInputTest, ADeadlineThatHasPassedIsSaid) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() - std::chrono::seconds(1));
  v1::SearchResponse response;
  EXPECT_EQ(rpc_->search->Search(&context, NewSearch({1, 0, 0, 0}), &response).error_code(),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(client_->GetServerInfo().ok());
}

}  // namespace
}  // namespace sightline::testing
