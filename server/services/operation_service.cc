#include "server/services/operation_service.h"

#include <utility>

#include "base/status.h"
#include "server/operations.h"
#include "server/services/field_checks.h"

namespace sightline::server {
namespace {

Operations::Covers CoveredBy(const index::Database& database, const RequestPtr& request) {
  return [&database, request](absl::string_view collection) {
    return CoversCollection(database, request->call(), collection);
  };
}

// Operations are kept by their collection's own name.
std::string OwnName(const index::Database& database, const std::string& name) {
  const auto collection = database.Find(name);
  return collection.ok() ? (*collection)->config().name : name;
}

}  // namespace

void OperationService::Get(const RequestPtr& request, const v1::GetOperationRequest& message,
                           v1::GetOperationResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, request, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("name", message.name(), "Name the operation."));
        SIGHTLINE_ASSIGN_OR_RETURN(*reply->mutable_operation(),
                                   context_.operations.Get(message.name(), CoveredBy(context_.database, request)));
        return absl::OkStatus();
      },
      std::move(done));
}

void OperationService::List(const RequestPtr& request, const v1::ListOperationsRequest& message,
                            v1::ListOperationsResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, request, &message, reply]() -> absl::Status {
        SIGHTLINE_ASSIGN_OR_RETURN(const int page_size, PageSize(message.page_size(), context_.limits.max_page_size));
        SIGHTLINE_ASSIGN_OR_RETURN(
            Operations::Page page,
            context_.operations.List(page_size, message.page_token(), OwnName(context_.database, message.collection()),
                                     CoveredBy(context_.database, request)));
        for (v1::Operation& operation : page.operations) *reply->add_operations() = std::move(operation);
        reply->set_next_page_token(std::move(page.next_page_token));
        return absl::OkStatus();
      },
      std::move(done));
}

void OperationService::Cancel(const RequestPtr& request, const v1::CancelOperationRequest& message,
                              v1::CancelOperationResponse* reply, Done done) {
  RunOnWorkers(
      context_, request,
      [this, request, &message, reply]() -> absl::Status {
        SIGHTLINE_RETURN_IF_ERROR(Required("name", message.name(), "Name the operation."));
        SIGHTLINE_ASSIGN_OR_RETURN(*reply->mutable_operation(),
                                   context_.operations.Cancel(message.name(), CoveredBy(context_.database, request)));
        return absl::OkStatus();
      },
      std::move(done));
}

}  // namespace sightline::server
