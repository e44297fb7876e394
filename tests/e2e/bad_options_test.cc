// The options of searches, filters and long work with inputs they must refuse.
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/e2e/refusals.h"
#include "tests/e2e/server_fixture.h"

namespace sightline::testing {
namespace {

// None of these is a filter.
std::vector<std::string> BadFilters() {
  return {"a =",
          "= 1",
          "a",
          "a = 1 AND",
          "(a = 1",
          "a = 1)",
          "a ! 1",
          "a = \"open",
          "a IN (",
          "NOT",
          std::string("a = 1\0", 6),
          std::string(1000, '(') + "a = 1" + std::string(1000, ')'),
          std::string(1 << 20, 'a')};
}

void AddSearchOptionCases(Cases& cases) {
  using R = v1::SearchRequest;
  constexpr int32_t kMost = std::numeric_limits<int32_t>::max();
  constexpr int32_t kLeast = std::numeric_limits<int32_t>::min();
  const auto add = [&](const std::string& name, const std::string& reason, const std::function<void(R&)>& change) {
    cases.Search<R>(name, reason, change);
  };
  for (const int32_t value : {0, -1, 10'001, kMost, kLeast}) {
    add(absl::StrCat("ef_search ", value), "VALUE_OUT_OF_RANGE", [&](R& r) { r.set_ef_search(value); });
  }
  for (const int32_t value : {0, -1, 65'537, kMost, kLeast}) {
    add(absl::StrCat("nprobe ", value), "VALUE_OUT_OF_RANGE", [&](R& r) { r.set_nprobe(value); });
  }
  for (const int32_t value : {-1, 1001, kMost, kLeast}) {
    add(absl::StrCat("group_size ", value), "VALUE_OUT_OF_RANGE", [&](R& r) {
      r.set_group_by("brand");
      r.set_group_size(value);
    });
    add(absl::StrCat("neighbours ", value), "VALUE_OUT_OF_RANGE", [&](R& r) {
      r.mutable_expansion()->set_method(v1::QueryExpansion::METHOD_AVERAGE);
      r.mutable_expansion()->set_neighbours(value);
    });
  }
  add("group_size without group_by", "FIELD_MISSING", [](R& r) { r.set_group_size(2); });
  for (const std::string& key : {std::string("a b"), std::string("1a"), std::string(65, 'k'), std::string("a\0b", 3)}) {
    add(absl::StrCat("group_by ", key), "ATTRIBUTE_KEY_INVALID", [&](R& r) { r.set_group_by(key); });
  }
  for (const double value : {-0.1, 10.1, 1e300}) {
    add(absl::StrCat("alpha ", value), "VALUE_OUT_OF_RANGE", [&](R& r) { r.mutable_expansion()->set_alpha(value); });
  }
  for (const double value : {static_cast<double>(kNan), static_cast<double>(kInfinity)}) {
    add(absl::StrCat("alpha ", value), "VALUE_NOT_FINITE", [&](R& r) { r.mutable_expansion()->set_alpha(value); });
  }
  add("an expansion nobody knows", "ENUM_VALUE_UNKNOWN",
      [](R& r) { r.mutable_expansion()->set_method(static_cast<v1::QueryExpansion::Method>(99)); });
  add("a re-ranking nobody knows", "ENUM_VALUE_UNKNOWN",
      [](R& r) { r.mutable_rerank()->set_method(static_cast<v1::RerankOptions::Method>(-7)); });
}

void AddFilterCases(Cases& cases) {
  for (const std::string& filter : BadFilters()) {
    const std::string name = absl::StrCat("the filter ", filter.substr(0, 40));
    cases.Search<v1::SearchRequest>(name, "FILTER_INVALID", [&](v1::SearchRequest& r) { r.set_filter(filter); });
    v1::ListImagesRequest list;
    list.set_collection("v");
    list.set_filter(filter);
    cases.Add("ListImages", name, "FILTER_INVALID", kInvalid,
              [list](const Rpc& rpc) { return Call(*rpc.index, &v1::IndexService::Stub::ListImages, list); });
    v1::DeleteImagesRequest remove;
    remove.set_collection("v");
    remove.set_filter(filter);
    cases.Add("DeleteImages", name, "FILTER_INVALID", kInvalid,
              [remove](const Rpc& rpc) { return Call(*rpc.index, &v1::IndexService::Stub::DeleteImages, remove); });
    v1::ListAttributeValuesRequest values;
    values.set_collection("v");
    values.set_key("brand");
    values.set_filter(filter);
    cases.Add("ListAttributeValues", name, "FILTER_INVALID", kInvalid, [values](const Rpc& rpc) {
      return Call(*rpc.collections, &v1::CollectionService::Stub::ListAttributeValues, values);
    });
  }
  v1::DeleteImagesRequest both;
  both.set_collection("v");
  both.add_ids("a");
  both.set_filter("a = 1");
  cases.Add("DeleteImages", "ids and a filter", "IDS_AND_FILTER", kInvalid,
            [both](const Rpc& rpc) { return Call(*rpc.index, &v1::IndexService::Stub::DeleteImages, both); });
  v1::DeleteImagesRequest nowhere;
  nowhere.set_collection("nowhere");
  nowhere.set_filter("a = 1");
  cases.Add("DeleteImages", "a filter for an unknown collection", "COLLECTION_NOT_FOUND", kNotFound,
            [nowhere](const Rpc& rpc) { return Call(*rpc.index, &v1::IndexService::Stub::DeleteImages, nowhere); });
}

void AddWorkCases(Cases& cases) {
  using O = v1::OptimizeCollectionRequest;
  const auto optimize = [&](const std::string& name, const std::string& reason, const std::function<void(O&)>& change,
                            absl::StatusCode code = kInvalid) {
    O request;
    request.set_name("v");
    change(request);
    cases.Add("OptimizeCollection", name, reason, code, [request](const Rpc& rpc) {
      return Call(*rpc.collections, &v1::CollectionService::Stub::OptimizeCollection, request);
    });
  };
  optimize("no name", "FIELD_MISSING", [](O& r) { r.clear_name(); });
  optimize(
      "unknown collection", "COLLECTION_NOT_FOUND", [](O& r) { r.set_name("../v"); }, kNotFound);
  for (const int32_t value : {-1, 101, std::numeric_limits<int32_t>::max()}) {
    optimize(absl::StrCat("augment_neighbours ", value), "VALUE_OUT_OF_RANGE",
             [&](O& r) { r.set_augment_neighbours(value); });
  }
  optimize("augment_alpha -1", "VALUE_OUT_OF_RANGE", [](O& r) { r.set_augment_alpha(-1); });
  optimize("augment_alpha NaN", "VALUE_NOT_FINITE", [](O& r) { r.set_augment_alpha(kNan); });

  using V = v1::ListAttributeValuesRequest;
  const auto values = [&](const std::string& name, const std::string& reason, const std::function<void(V&)>& change,
                          absl::StatusCode code = kInvalid) {
    V request;
    request.set_collection("v");
    request.set_key("brand");
    change(request);
    cases.Add("ListAttributeValues", name, reason, code, [request](const Rpc& rpc) {
      return Call(*rpc.collections, &v1::CollectionService::Stub::ListAttributeValues, request);
    });
  };
  values("no collection", "FIELD_MISSING", [](V& r) { r.clear_collection(); });
  values("no key", "FIELD_MISSING", [](V& r) { r.clear_key(); });
  values("a key that is none", "ATTRIBUTE_KEY_INVALID", [](V& r) { r.set_key("a b"); });
  values("a huge key", "ATTRIBUTE_KEY_INVALID", [](V& r) { r.set_key(std::string(1 << 20, 'k')); });
  values(
      "unknown collection", "COLLECTION_NOT_FOUND", [](V& r) { r.set_collection("nowhere"); }, kNotFound);
  values("page_size 1001", "VALUE_OUT_OF_RANGE", [](V& r) { r.set_page_size(1001); });
  values("a garbage page token", "PAGE_TOKEN_INVALID", [](V& r) { r.set_page_token("garbage"); });

  for (const std::string& name :
       {std::string(), std::string("operations/0"), std::string("operations/x"), std::string("../operations/1"),
        std::string("operations/99"), "operations/" + std::string(1 << 20, '9')}) {
    const bool known_form = name == "operations/99";
    const std::string reason = name.empty() ? "FIELD_MISSING"
                               : known_form ? "OPERATION_NOT_FOUND"
                                            : "OPERATION_NAME_INVALID";
    v1::GetOperationRequest get;
    get.set_name(name);
    cases.Add("GetOperation", name.substr(0, 40), reason, known_form ? kNotFound : kInvalid,
              [get](const Rpc& rpc) { return Call(*rpc.operations, &v1::OperationService::Stub::GetOperation, get); });
    v1::CancelOperationRequest cancel;
    cancel.set_name(name);
    cases.Add("CancelOperation", name.substr(0, 40), reason, known_form ? kNotFound : kInvalid,
              [cancel](const Rpc& rpc) {
                return Call(*rpc.operations, &v1::OperationService::Stub::CancelOperation, cancel);
              });
  }
  for (const auto& [page_size, token] : std::vector<std::pair<int, std::string>>{
           {-1, ""}, {1001, ""}, {0, "garbage"}, {0, "before:-1"}, {0, std::string(1 << 20, '9')}}) {
    v1::ListOperationsRequest list;
    list.set_page_size(page_size);
    list.set_page_token(token);
    cases.Add("ListOperations", absl::StrCat(page_size, " ", token.substr(0, 40)),
              token.empty() ? "VALUE_OUT_OF_RANGE" : "PAGE_TOKEN_INVALID", kInvalid, [list](const Rpc& rpc) {
                return Call(*rpc.operations, &v1::OperationService::Stub::ListOperations, list);
              });
  }
}

class BadOptionsTest : public ServerFixture {};

TEST_F(BadOptionsTest, EveryRefusalIsTyped) {
  Cases cases;
  AddSearchOptionCases(cases);
  AddFilterCases(cases);
  AddWorkCases(cases);
  ExpectTyped(cases, *rpc_, *server_);
  EXPECT_EQ(client_->Search(NewSearch({1, 0, 0, 0}))->results_size(), 2) << "nothing that was refused was deleted";
  EXPECT_EQ(client_->ListOperations({})->operations_size(), 0) << "nothing that was refused was started";
}

}  // namespace
}  // namespace sightline::testing
