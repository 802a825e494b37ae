package io.confluent.rest.exceptions;

/** As in rest-utils. */
public class RestServerErrorException extends RestException {
  public static final int DEFAULT_ERROR_CODE = 500;

  public RestServerErrorException(String message, int errorCode) {
    super(message, 500, errorCode);
  }

  public RestServerErrorException(String message, int errorCode, Throwable cause) {
    super(message, 500, errorCode, cause);
  }
}
