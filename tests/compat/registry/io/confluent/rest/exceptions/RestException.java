package io.confluent.rest.exceptions;

/** As in rest-utils. */
public class RestException extends RuntimeException {
  private final int status;
  private final int errorCode;

  public RestException(String message, int status, int errorCode) {
    this(message, status, errorCode, null);
  }

  public RestException(String message, int status, int errorCode, Throwable cause) {
    super(message, cause);
    this.status = status;
    this.errorCode = errorCode;
  }

  public int getStatus() {
    return status;
  }

  public int getErrorCode() {
    return errorCode;
  }
}
